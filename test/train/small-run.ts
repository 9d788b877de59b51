import { conform } from "../../data/conform.ts";
import { imageSize, order } from "../../data/dataset.ts";
import { digits } from "../../data/digits.ts";
import type { Engine } from "../../engine/engine.ts";
import { buildScoreNet, type ScoreNet } from "../../models/index.ts";
import { asPredictor, type Predictor, thatPredicts } from "../../models/prediction.ts";
import { Batches, geometricSigmas, Trainer, type TrainerOptions } from "../../train/index.ts";

export interface SmallRun extends Disposable {
  network: ScoreNet;
  score: Predictor<"score">;
  trainer: Trainer;
  sigmas: readonly number[];
}

/** The smallest run with everything in it: ncsn-small with 8 channels on drawn digits of 8 x 8 pixels. */
export function smallRun(engine: Engine, changes: Partial<TrainerOptions> = {}): SmallRun {
  const images = conform(digits({ count: 64 }), { size: 8 });
  const sigmas = geometricSigmas({ begin: 1, end: 0.1, count: 3 });
  const network = buildScoreNet(engine, {
    name: "ncsn-small",
    channels: [8, 8, 8],
    imageChannels: 1,
    imageSize: 8,
    sigmas,
    seed: 5,
  });
  const score = asPredictor(thatPredicts(network, "score"));
  const size = changes.shape?.[0] ?? 4;
  const trainer = new Trainer(engine, {
    network,
    score,
    sigmas,
    optimizer: { lr: 1e-3, emaDecay: 0.99 },
    shape: [size, 1, 8, 8],
    batches: new Batches({ count: images.count, size, seed: 5, order }),
    fill: (indices, out) => {
      for (const [k, i] of indices.entries()) images.image(i, out, k * imageSize(images));
    },
    seed: 5,
    ...changes,
  });
  return {
    network,
    score,
    trainer,
    sigmas,
    [Symbol.dispose]() {
      trainer.dispose();
      network.dispose();
    },
  };
}

/** Takes steps, reading them all at the end. */
export async function losses({ trainer }: SmallRun, steps: number): Promise<number[]> {
  for (let i = 0; i < steps; i++) trainer.advance();
  return (await trainer.reports()).map((r) => r.loss);
}
