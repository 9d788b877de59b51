import { UsageError } from "../engine/errors.ts";
import { maximum, minimum, scale as times } from "../engine/ops/index.ts";
import type { Tensor } from "../engine/tensor.ts";
import { type Classifier, logProbGrad, type Noising, throughNoise } from "../models/index.ts";
import { classConditional, type ScoreFunction } from "../samplers/index.ts";
import { sigmaRange } from "./classifier.ts";
import type { ClassifierConfig, Config } from "./config.ts";
import { sigmasOf } from "./network.ts";
import { marginalOf, sdeOf } from "./score.ts";

interface Guide {
  readonly classifier: Classifier;
  /** The classifier's. */
  readonly config: ClassifierConfig;
  /** Class of each image, [n] (i32). */
  readonly classes: Tensor;
  /** Factor of the classifier's gradient. */
  readonly scale: number;
}

/** The score of a configuration's network, turned towards images of the classes by a classifier's gradient. */
export function guidedScore(
  score: ScoreFunction,
  config: Config,
  { classifier, config: own, classes, scale }: Guide,
): ScoreFunction {
  const { least, most } = sigmaRange(own);
  const known = (x: Tensor, sigma: Tensor) => classifier.run(x, minimum(maximum(sigma, least), most));
  const noisy = throughNoise(known, noisingOf(config));
  return classConditional(score, (x, condition) => logProbGrad(noisy, x, condition, classes), {
    strength: scale,
  });
}

/** How a configuration's network sees images of [0, 1], by what it is told of their noise. */
export function noisingOf(config: Config): (condition: Tensor) => Noising {
  const marginal = marginalOf(config);
  return (condition) => {
    const { alpha, std } = marginal(condition);
    return config.data.centered
      ? { gain: times(alpha, 2), offset: times(alpha, -1), std } // alpha (2 x_0 - 1) + std z
      : { gain: alpha, std };
  };
}

/** What rounding makes of the same noise scale. */
const SLACK = 1.001;

/**
 * Throws UsageError where the network's images hold more noise than the classifier was trained on, by which it would be
 * misled. Of less noise than that it is told the least.
 */
export function requireKnownNoise(config: Config, own: ClassifierConfig): void {
  const { most } = sigmaRange(own);
  const sigma = mostNoise(config);
  if (sigma > most * SLACK)
    throw new UsageError(
      `classify-guide: got a network whose noise goes up to ${sigma.toPrecision(4)} times the images and a classifier ` +
        `trained up to ${most.toPrecision(4)}, expected at least as much; train it with sde: { name: ve, sigmaMax: ${Math.ceil(sigma / SLACK)} }`,
    );
}

/** The largest sigma of x_0 + sigma z, x_0 in [0, 1], that a configuration's network sees. */
function mostNoise(config: Config): number {
  const range = config.data.centered ? 2 : 1; // of the images, in which the noise counts less
  if (!config.sde) return sigmasOf(config)[0]! / range;
  const sde = sdeOf(config);
  if (!config.sde.continuous && sde.name === "vp") {
    const { sqrtAlphasCumprod, sqrtOneMinusAlphasCumprod } = sde.discrete;
    return sqrtOneMinusAlphasCumprod.at(-1)! / sqrtAlphasCumprod.at(-1)! / range;
  }
  const { alpha, std } = sde.marginalAt(sde.T);
  return std / alpha / range;
}
