import type { Engine } from "../../engine/engine.ts";
import { asPredictor, buildScoreNet } from "../../models/index.ts";
import type { ScoreFunction } from "../../samplers/index.ts";
import { geometricSigmas } from "../../train/sigmas.ts";
import type { Shipped } from "./checkpoint.ts";

/** A trained network on the device. */
export interface Trained {
  readonly engine: Engine;
  readonly score: ScoreFunction;
  /** Noise scales by label, descending. */
  readonly sigmas: readonly number[];
  /** [c, h, w] */
  readonly image: readonly [c: number, h: number, w: number];
  dispose(): void;
}

/** Builds the network and gives it its trained weights. */
export function openTrained(engine: Engine, { about, state }: Shipped): Trained {
  const sigmas = geometricSigmas(about.sigmas);
  const [imageChannels, imageSize] = about.image;
  const network = buildScoreNet(engine, {
    name: "ncsn-small",
    channels: about.channels,
    ...{ imageChannels, imageSize, sigmas, seed: about.seed },
  });
  network.load(state);
  return {
    engine,
    score: asPredictor(network),
    sigmas,
    image: about.image,
    dispose: () => network.dispose(),
  };
}
