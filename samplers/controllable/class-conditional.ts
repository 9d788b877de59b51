import { UsageError } from "../../engine/errors.ts";
import { add, scale } from "../../engine/ops/index.ts";
import { sameShape, showShape } from "../../engine/shapes.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { asScore, type ScoreFunction } from "../score.ts";

/**
 * grad_x log p(y | x) of noisy x [n,...] at the noise condition of each sample [n], for labels y that the function
 * knows -> x's shape. It is told what the score is told.
 */
export type LogProbGrad = (x: Tensor, condition: Tensor) => Tensor;

export interface ClassConditionalOptions {
  /** Factor of the classifier's gradient: 1 (unless told) for the law of the class, more for its likelier samples. */
  strength?: number;
}

/**
 * The score of what belongs to the labels, score + grad log p(y | x), for any sampler of a score: Song et al. 2021,
 * equation 14 and appendix I.1. Throws UsageError for a strength that is not a number and, when called, for a gradient
 * of another shape than x.
 */
export function classConditional(
  score: ScoreFunction,
  logProbGrad: LogProbGrad,
  { strength = 1 }: ClassConditionalOptions = {},
): ScoreFunction {
  if (!Number.isFinite(strength))
    throw new UsageError(`classConditional: got strength ${strength}, expected a finite number`);
  return asScore((x, condition) => {
    const gradient = logProbGrad(x, condition);
    if (!sameShape(gradient.shape, x.shape))
      throw new UsageError(
        `classConditional: got a gradient ${showShape(gradient.shape)} for x ${showShape(x.shape)}, expected one shape`,
      );
    return add(score(x, condition), strength === 1 ? gradient : scale(gradient, strength));
  });
}
