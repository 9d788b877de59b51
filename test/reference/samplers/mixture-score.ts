import { type Blur, blurByLabel, mixtureInOps } from "../../../bench/figures/mixture-in-ops.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import { asScore, type ScoreFunction } from "../../../samplers/score.ts";
import type { SamplerContext } from "./context.ts";

/** The score of the case's mixture, scaled and blurred as the condition says. */
export function mixtureScore(c: SamplerContext, blurOf: (condition: Tensor) => Blur): ScoreFunction {
  const law = c.own(
    mixtureInOps(c.engine, {
      weights: c.numbers("gmm.weights"),
      means: c.numbers("gmm.means"),
      stds: c.numbers("gmm.stds"),
    }),
  );
  return asScore((x, condition) => law.score(x, blurOf(condition)));
}

/** The blur of `ve_discrete`: a = 1, v = sigmas[label]^2. */
export const discreteVe = (c: SamplerContext, sigmas: readonly number[]): ((labels: Tensor) => Blur) =>
  c.own(blurByLabel(c.engine, sigmas)).blur;
