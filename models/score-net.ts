import type { Engine } from "../engine/engine.ts";
import { expectedOneOf, UsageError } from "../engine/errors.ts";
import { Ddpm, type DdpmOptions } from "./ddpm.ts";
import { Init } from "./init.ts";
import { Ncsn, NcsnDeeper, type NcsnOptions } from "./ncsn.ts";
import { NcsnSmall, type NcsnSmallOptions } from "./ncsn-small.ts";
import { NcsnPP, type NcsnPPOptions } from "./ncsnpp.ts";
import { ncsnv2For } from "./ncsnv2.ts";
import type { Network } from "./prediction.ts";

/** A network that knows noisy images by their score, or by their noise. */
export type ScoreNet<P extends "score" | "eps" = "score"> = Network<P>;

/** What every network has to know of its images and their noise. */
export interface ImageOptions {
  imageChannels: number;
  imageSize: number;
  /** Noise scales by label, descending. */
  sigmas: readonly number[];
  /** The images lie in [-1, 1]; in [0, 1] unless told. */
  centered?: boolean | undefined;
}

/** What is left to choose of a RefineNet. */
export type RefineNetChoices = Partial<Pick<NcsnOptions, "ngf" | "act" | "normalization">>;
/** What is left to choose of a U-Net. */
export type UNetChoices<Options> = Omit<
  Options,
  "channels" | "imageSize" | "sigmas" | "centered" | "predicts"
> & {
  /** "score" unless told. */
  predicts?: "score" | "eps" | undefined;
};

/** The networks by name, each with the options of its own. */
export interface NetworkOptions {
  ncsn: RefineNetChoices;
  "ncsn-deeper": RefineNetChoices;
  "ncsn-small": { channels?: readonly number[] | undefined };
  /** The official network for the images' size. */
  ncsnv2: RefineNetChoices;
  ncsnpp: UNetChoices<NcsnPPOptions>;
  ddpm: UNetChoices<DdpmOptions>;
}

export type ScoreNetName = keyof NetworkOptions;

export type ScoreNetOptions = ImageOptions & { seed: number } & {
    [N in ScoreNetName]: { name: N } & NetworkOptions[N];
  }[ScoreNetName];

type Builders = {
  [N in ScoreNetName]: (init: Init, options: ImageOptions & NetworkOptions[N]) => ScoreNet<"score" | "eps">;
};

const refineNet = ({ imageChannels, centered, ngf = 128, ...rest }: ImageOptions & RefineNetChoices) => ({
  ...rest,
  channels: imageChannels,
  ngf,
  rescaled: centered,
});

const uNet = <O extends ImageOptions & { predicts?: "score" | "eps" | undefined }>({
  imageChannels,
  predicts = "score",
  ...rest
}: O) => ({
  ...rest,
  channels: imageChannels,
  predicts,
});

const builders: Builders = {
  ncsn: (init, o) => new Ncsn(init, { ...refineNet(o), numClasses: o.sigmas.length }),
  "ncsn-deeper": (init, o) => new NcsnDeeper(init, { ...refineNet(o), numClasses: o.sigmas.length }),
  "ncsn-small": (init, { imageChannels, imageSize, sigmas, channels, centered }) => {
    if (centered)
      throw new UsageError(
        "ncsn-small: got centered true, expected images in [0, 1], which it takes; leave centered out",
      );
    return new NcsnSmall(init, {
      ...{ imageChannels, imageSize, sigmas },
      ...(channels && { channels: channels as NonNullable<NcsnSmallOptions["channels"]> }),
    });
  },
  ncsnv2: (init, o) => new (ncsnv2For(o.imageSize))(init, refineNet(o)),
  ncsnpp: (init, o) => new NcsnPP(init, uNet(o)),
  ddpm: (init, o) => new Ddpm(init, uNet(o)),
};

export const scoreNetNames = Object.keys(builders) as ScoreNetName[];

/** The network of a configuration, freshly initialised. Throws UsageError for an unknown name or options it cannot take. */
export function buildScoreNet(
  engine: Engine,
  options: Exclude<ScoreNetOptions, { name: "ncsnpp" | "ddpm" }>,
): ScoreNet;
export function buildScoreNet(engine: Engine, options: ScoreNetOptions): ScoreNet<"score" | "eps">;
export function buildScoreNet(
  engine: Engine,
  { name, seed, ...options }: ScoreNetOptions,
): ScoreNet<"score" | "eps"> {
  if (!Object.hasOwn(builders, name))
    throw new UsageError(`model: got ${name}, ${expectedOneOf(name, scoreNetNames)}`);
  const build = builders[name] as (init: Init, options: ImageOptions) => ScoreNet<"score" | "eps">;
  return build(new Init(engine, seed), options);
}
