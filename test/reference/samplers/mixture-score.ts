import { add, div, embedding, log, mul, reshape, softmax, square, sub, sum } from "../../../engine/ops/index.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import { asScore, type ScoreFunction } from "../../../samplers/score.ts";
import type { SamplerContext } from "./context.ts";

/** p(x | x_0) = N(a x_0, v I) of each sample, [n] each. */
export interface Blur {
  readonly a: Tensor;
  readonly v: Tensor;
}

/**
 * The score of the case's mixture of round Gaussians in x [n,...], scaled by a and blurred by v:
 * -sum_k r_k (x - a m_k) / (a^2 s_k^2 + v) with r_k proportional to w_k N(x; a m_k, (a^2 s_k^2 + v) I).
 */
export function mixtureScore(c: SamplerContext, blurOf: (condition: Tensor) => Blur): ScoreFunction {
  const { engine } = c;
  const logWeights = engine.tensor(c.numbers("gmm.weights").map(Math.log));
  const variances = engine.tensor(c.numbers("gmm.stds").map((s) => s * s));
  const k = variances.size;
  const means = engine.tensor(c.numbers("gmm.means"), [1, k, c.case.shape("gmm.means").slice(1).reduce((p, d) => p * d)]);
  return asScore((x, condition) => {
    const n = x.dim(0);
    const { a, v } = blurOf(condition);
    const perSample = (t: Tensor) => reshape(t, [n, 1, 1]);
    const variance = add(mul(reshape(square(a), [n, 1]), reshape(variances, [1, k])), reshape(v, [n, 1])); // [n,k]
    const away = sub(reshape(x, [n, 1, -1]), mul(perSample(a), means)); // [n,k,d]
    const size = means.dim(2);
    const logTerms = sub(
      sub(reshape(logWeights, [1, k]), mul(log(variance), size / 2)),
      div(sum(square(away), { axis: -1 }), mul(variance, 2)),
    );
    const pull = div(softmax(logTerms), variance); // responsibility / variance
    return reshape(mul(sum(mul(away, reshape(pull, [n, k, 1])), { axis: 1 }), -1), x.shape);
  });
}

/** The blur of `ve_discrete`: a = 1, v = sigmas[label]^2. */
export function discreteVe(c: SamplerContext, sigmas: readonly number[]): (labels: Tensor) => Blur {
  const variances = c.engine.tensor(
    sigmas.map((s) => s * s),
    [sigmas.length, 1],
  );
  return (labels) => {
    const v = reshape(embedding(variances, labels), [labels.dim(0)]);
    return { a: c.engine.ones(v.shape), v };
  };
}
