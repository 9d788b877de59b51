import { UsageError } from "../engine/errors.ts";
import { requireRate } from "../engine/ops/dropout.ts";
import { type ActivationName, requireActivation } from "./layers/index.ts";
import type { Prediction } from "./prediction.ts";
import { requireCounts } from "./require.ts";
import { resolutions, type UNetOptions } from "./unet.ts";

/** What DDPM and NCSN++ have in common, named as in the official configurations. */
export interface ScoreUNetOptions<P extends Prediction = Prediction> extends UNetOptions {
  /** Of the image. */
  channels: number;
  /** What the output stands for: "score" with scaleBySigma, "eps" for networks of the VP and the sub-VP SDE. */
  predicts: P;
  /** Noise scales by label, descending: what the output of a network that is told labels is divided by with scaleBySigma. */
  sigmas: readonly number[];
  /** A 3x3 convolution beside the resampling between residual blocks that do not resample themselves. */
  resampWithConv?: boolean;
  /** Tell the blocks the noise. DDPM always does. */
  conditional?: boolean;
  act?: ActivationName;
  /** Divide the output by sigma. */
  scaleBySigma?: boolean;
  /** The images lie in [-1, 1] already. */
  centered?: boolean;
  /** Share of the elements dropped in every residual block while training. */
  dropout?: number;
}

/** The options, where they say something, else the defaults. */
export function withDefaults<D extends object, O extends object>(defaults: D, options: O): D & O {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) } as D & O;
}

/**
 * Throws UsageError for sizes that no U-Net has, an unknown activation, a dropout rate out of range, and an output that
 * is divided by sigma but is to be something else than a score.
 */
export function requireUNetOptions(who: string, options: Required<ScoreUNetOptions>): void {
  requireSizes(who, options);
  requireActivation(who, options.act);
  requireRate(who, options.dropout);
  const { scaleBySigma, predicts } = options;
  if (scaleBySigma && predicts !== "score")
    throw new UsageError(
      `${who}: got predicts ${predicts} with scaleBySigma, expected score, which an output divided by sigma is; ` +
        `set scaleBySigma: false for ${predicts}`,
    );
}

function requireSizes(who: string, options: UNetOptions & { channels: number }): void {
  const { channels, imageSize, nf, numResBlocks, chMult, attnResolutions } = options;
  const widths = Object.fromEntries(chMult.map((mult, level) => [`chMult[${level}]`, mult]));
  requireCounts(who, { channels, imageSize, nf, numResBlocks, ...widths });
  if (chMult.length === 0)
    throw new UsageError(
      `${who}: got an empty chMult, expected a width for each level, such as [1, 2, 2, 2]`,
    );
  const shrink = 2 ** (chMult.length - 1);
  if (imageSize % shrink !== 0)
    throw new UsageError(
      `${who}: got imageSize ${imageSize} for ${chMult.length} levels, expected a multiple of ${shrink}; ` +
        "shorten chMult or resize the images",
    );
  const sizes = resolutions(options);
  const lost = attnResolutions.find((size) => !sizes.includes(size));
  if (lost !== undefined)
    throw new UsageError(
      `${who}: got attnResolutions ${lost}, expected sizes that the network has: ${sizes.join(", ")}`,
    );
}
