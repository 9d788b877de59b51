import type { Engine } from "../../engine/engine.ts";
import {
  add,
  div,
  embedding,
  log,
  logsumexp,
  mul,
  reshape,
  softmax,
  square,
  sub,
  sum,
} from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";

/** Round Gaussians in K places of D dimensions. */
export interface RoundMixture {
  readonly weights: readonly number[];
  /** K rows of D numbers. */
  readonly means: readonly number[];
  readonly stds: readonly number[];
}

/** p(x | x_0) = N(a x_0, v I) of each sample, [n] each. */
export interface Blur {
  readonly a: Tensor;
  readonly v: Tensor;
}

/** A density in closed form, written in ops. */
interface MixtureInOps extends Disposable {
  /** log p of x [n,...], blurred. -> [n] */
  logDensity(x: Tensor, blur: Blur): Tensor;
  /** log of each component's share in p, [n,k]: logits of whence x came. */
  logTerms(x: Tensor, blur: Blur): Tensor;
  /** The gradient of logDensity, of x's shape. */
  score(x: Tensor, blur: Blur): Tensor;
}

/**
 * The mixture scaled by a and blurred by v, with components N(a m_k, (a^2 s_k^2 + v) I); its score is
 * -sum_k r_k (x - a m_k) / (a^2 s_k^2 + v) with the responsibilities r_k proportional to the components' densities.
 */
export function mixtureInOps(engine: Engine, { weights, means, stds }: RoundMixture): MixtureInOps {
  const [k, d] = [weights.length, means.length / weights.length];
  const row = (values: number[]) => engine.untrack(engine.tensor(values, [1, k]));
  const logWeights = row(weights.map((w) => Math.log(w) - (d / 2) * Math.log(2 * Math.PI)));
  const variances = row(stds.map((s) => s * s));
  const centres = engine.untrack(engine.tensor(means, [1, k, d]));

  const parts = (x: Tensor, { a, v }: Blur) => {
    const n = x.dim(0);
    const variance = add(mul(reshape(square(a), [n, 1]), variances), reshape(v, [n, 1])); // [n,k]
    const away = sub(reshape(x, [n, 1, d]), mul(reshape(a, [n, 1, 1]), centres)); // [n,k,d]
    const exponent = div(sum(square(away), { axis: -1 }), mul(variance, 2)); // [n,k]
    return { variance, away, logTerms: sub(sub(logWeights, mul(log(variance), d / 2)), exponent) };
  };
  return {
    logDensity: (x, blur) => logsumexp(parts(x, blur).logTerms),
    logTerms: (x, blur) => parts(x, blur).logTerms,
    score(x, blur) {
      const { variance, away, logTerms } = parts(x, blur);
      const pull = reshape(div(softmax(logTerms), variance), [x.dim(0), k, 1]); // responsibility / variance
      return reshape(mul(sum(mul(away, pull), { axis: 1 }), -1), x.shape);
    },
    [Symbol.dispose]() {
      for (const t of [logWeights, variances, centres]) t.dispose();
    },
  };
}

/** The blur by sigmas[label]^2, of labels [n] (i32). */
export function blurByLabel(
  engine: Engine,
  sigmas: readonly number[],
): Disposable & { blur(labels: Tensor): Blur } {
  const table = engine.untrack(
    engine.tensor(
      sigmas.map((s) => s * s),
      [sigmas.length, 1],
    ),
  );
  return {
    blur: (labels) => ({
      a: engine.ones(labels.shape),
      v: reshape(embedding(table, labels), labels.shape),
    }),
    [Symbol.dispose]: () => table.dispose(),
  };
}
