import type { ImageSetName } from "../data/index.ts";
import type { Engine } from "../engine/engine.ts";
import { buildScoreNet, type ScoreNet } from "../models/index.ts";
import { geometricSigmas } from "../train/sigmas.ts";
import { embeddingFor } from "./config/agreement.ts";
import { isLabelled } from "./config/model.ts";
import type { AnnealedConfig, Config } from "./config.ts";

export interface ImageShape {
  readonly channels: number;
  /** Of the square images. */
  readonly height: number;
}

/** The network of a configuration for images like these. Throws UsageError for images that it cannot take. */
export function openNetwork(engine: Engine, config: AnnealedConfig, image: ImageShape): ScoreNet;
export function openNetwork(engine: Engine, config: Config, image: ImageShape): ScoreNet<"score" | "eps">;
export function openNetwork(
  engine: Engine,
  config: Config,
  { channels, height }: ImageShape,
): ScoreNet<"score" | "eps"> {
  return buildScoreNet(engine, {
    ...modelOptions(config),
    imageChannels: channels,
    imageSize: height,
    sigmas: sigmasOf(config),
    centered: config.data.centered,
    seed: config.training.seed,
  });
}

/** The model section, and what the SDE says of the network: what it predicts, and how it is told the noise. */
function modelOptions({ model, sde }: Config) {
  if (isLabelled(model) || !sde) return model;
  const exploding = sde.name === "ve";
  const common = { predicts: exploding ? "score" : "eps", scaleBySigma: exploding } as const;
  return model.name === "ddpm"
    ? { ...common, ...model }
    : { ...common, embeddingType: embeddingFor(sde), ...model };
}

/** Networks of the VP SDEs hold a table of sigmas too, as the published ones do; nothing reads it. */
const unread = { sigmaMin: 0.01, sigmaMax: 50 };

/** Noise scales by label, descending. */
export function sigmasOf({ sigmas, sde }: Config): number[] {
  if (!sde) return geometricSigmas(sigmas);
  const { sigmaMin, sigmaMax } = sde.name === "ve" ? sde : unread;
  return geometricSigmas({ begin: sigmaMax, end: sigmaMin, count: sde.numScales });
}

/** Channels and side of the images as the sets are, where the configuration does not say otherwise. */
const images = {
  digits: [1, 28],
  mnist: [1, 28],
  cifar10: [3, 32],
  folder: [3, 32],
} satisfies Record<ImageSetName, readonly [channels: number, side: number]>;

/** The images that a configuration's network is for, whether they are there or not. */
export function imageOf({ data }: Pick<Config, "data">): ImageShape {
  const [channels, side] = images[data.name];
  return { channels: data.channels ?? channels, height: data.size ?? side };
}
