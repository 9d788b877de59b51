import type { Engine } from "../engine/engine.ts";
import { nearest, UsageError } from "../engine/errors.ts";
import type { Tensor } from "../engine/tensor.ts";
import { Init } from "./init.ts";
import type { Module } from "./module.ts";
import { Ncsn } from "./ncsn.ts";
import { NcsnSmall } from "./ncsn-small.ts";

/** A network that scores images at numbered noise scales. */
export interface ScoreNet extends Module<[x: Tensor, labels: Tensor], Tensor> {}

export interface ScoreNetOptions {
  name: string;
  imageChannels: number;
  imageSize: number;
  sigmas: readonly number[];
  seed: number;
  ngf?: number | undefined;
  channels?: readonly number[] | undefined;
}

type Build = (init: Init, options: ScoreNetOptions) => ScoreNet;

const builders = {
  ncsn: (init, { imageChannels, imageSize, sigmas, ngf = 128 }) =>
    new Ncsn(init, { channels: imageChannels, imageSize, ngf, numClasses: sigmas.length }),
  "ncsn-small": (init, { channels, ...rest }) =>
    new NcsnSmall(init, { ...rest, ...(channels && { channels: channels as [number, number, number] }) }),
} satisfies Record<string, Build>;

export const scoreNetNames = Object.keys(builders);

/** The network of a configuration, freshly initialised. Throws UsageError for an unknown name or options it cannot take. */
export function buildScoreNet(engine: Engine, options: ScoreNetOptions): ScoreNet {
  const build = (builders as Record<string, Build>)[options.name];
  if (build) return build(new Init(engine, options.seed), options);
  const meant = nearest(options.name, scoreNetNames);
  throw new UsageError(
    `model: got "${options.name}", expected ${scoreNetNames.join(", ")}${meant ? `; did you mean "${meant}"?` : ""}`,
  );
}
