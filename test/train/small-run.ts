import { conform } from "../../data/conform.ts";
import { imageSize, order } from "../../data/dataset.ts";
import { digits } from "../../data/digits.ts";
import type { Engine } from "../../engine/engine.ts";
import { buildScoreNet, type ScoreNet } from "../../models/index.ts";
import { asPredictor, type Predictor } from "../../models/prediction.ts";
import {
  annealed,
  Batches,
  geometricSigmas,
  type Objective,
  Trainer,
  type TrainerOptions,
} from "../../train/index.ts";

export interface DigitsRun extends Disposable {
  network: ScoreNet<"score" | "eps">;
  trainer: Trainer;
}

export interface SmallRun extends DigitsRun {
  score: Predictor<"score">;
  sigmas: readonly number[];
}

/** `parts`: of each batch. */
type Changes = Partial<Omit<TrainerOptions, "network">> & { parts?: number };

const digitBatches = ({ shape: [size] = [4, 1, 8, 8], parts = 1 }: Changes) =>
  new Batches({ count: 64, size, parts, seed: 5, order });

/** A training on drawn digits of 8 x 8 pixels. */
export function digitsRun(
  engine: Engine,
  network: ScoreNet<"score" | "eps">,
  objective: () => Objective,
  changes: Changes = {},
): DigitsRun {
  const images = conform(digits({ count: 64 }), { size: 8 });
  const make = () =>
    new Trainer(engine, {
      network,
      objective,
      optimizer: { lr: 1e-3, emaDecay: 0.99 },
      shape: [4, 1, 8, 8],
      batches: digitBatches(changes),
      fill: (indices, out) => {
        for (const [k, i] of indices.entries()) images.image(i, out, k * imageSize(images));
      },
      seed: 5,
      ...changes,
    });
  let trainer: Trainer;
  try {
    trainer = make();
  } catch (fault) {
    network.dispose();
    throw fault;
  }
  return {
    network,
    trainer,
    [Symbol.dispose]() {
      trainer.dispose();
      network.dispose();
    },
  };
}

/** The smallest run with everything in it: ncsn-small with 8 channels on a ladder of three noise scales. */
export function smallRun(engine: Engine, changes: Changes = {}): SmallRun {
  const sigmas = geometricSigmas({ begin: 1, end: 0.1, count: 3 });
  const network = buildScoreNet(engine, {
    name: "ncsn-small",
    channels: [8, 8, 8],
    imageChannels: 1,
    imageSize: 8,
    sigmas,
    seed: 5,
  });
  const objective = () => annealed(engine, { sigmas, batches: digitBatches(changes) });
  return { ...digitsRun(engine, network, objective, changes), score: asPredictor(network), sigmas };
}

/** Takes steps, reading them all at the end. */
export async function losses({ trainer }: DigitsRun, steps: number): Promise<number[]> {
  for (let i = 0; i < steps; i++) trainer.advance();
  return (await trainer.reports()).map((r) => r.loss);
}
