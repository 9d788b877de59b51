import { requirePlain } from "../engine/modes.ts";
import type { Tensor } from "../engine/tensor.ts";

/**
 * grad log p of noisy x [n,...] at the noise condition of each sample [n], a label or a time -> x's shape. All that a
 * sampler knows of a network; what predicts something else has to be converted first, or it does not compile.
 */
export interface ScoreFunction {
  (x: Tensor, condition: Tensor): Tensor;
  readonly predicts: "score";
}

/**
 * Declares a function, such as one in closed form, to be a score. Samplers record a step and replay it: the function
 * itself runs for the first one alone, and what is to change from step to step comes from its condition, or is a
 * Scalar. Throws UsageError, when it is called, for an async one.
 */
export const asScore = (f: (x: Tensor, condition: Tensor) => Tensor): ScoreFunction =>
  Object.assign(
    (x: Tensor, condition: Tensor) => {
      const score = f(x, condition);
      requirePlain("asScore", score);
      return score;
    },
    { predicts: "score" as const },
  );
