/** A score network of two layers and the losses of score matching on it, in float64 with its Jacobian in closed form. */

export type Weights = Readonly<Record<"w1" | "b1" | "w2" | "b2", Float64Array>>;

export interface Sizes {
  readonly dimensions: number;
  readonly hidden: number;
}

const softplus = (v: number): number => Math.log1p(Math.exp(v));
const logistic = (v: number): number => 1 / (1 + Math.exp(-v));
export const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!;
  return total;
};

/** s = W2 softplus(W1 x + b1) + b2, with weights [out,in] as of linear layers, and J = W2 diag(logistic(W1 x + b1)) W1. */
export function scoreOf({ w1, b1, w2, b2 }: Weights, { dimensions: d, hidden }: Sizes, x: ArrayLike<number>) {
  const pre = Array.from({ length: hidden }, (_, h) => dot(w1.subarray(h * d, (h + 1) * d), x) + b1[h]!);
  const s = Array.from(
    { length: d },
    (_, i) => dot(w2.subarray(i * hidden, (i + 1) * hidden), pre.map(softplus)) + b2[i]!,
  );
  const jacobian = Array.from({ length: d }, (_, i) =>
    Array.from({ length: d }, (_, j) =>
      pre.reduce((sum, v, h) => sum + w2[i * hidden + h]! * logistic(v) * w1[h * d + j]!, 0),
    ),
  );
  return { s, jacobian };
}

const rowsOf = (values: ArrayLike<number>, d: number): number[][] =>
  Array.from({ length: values.length / d }, (_, n) =>
    Array.from({ length: d }, (_, i) => values[n * d + i]!),
  );

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** tr J + |s|^2 / 2, the mean over x. */
export const hyvarinen64 = (weights: Weights, sizes: Sizes, x: ArrayLike<number>): number =>
  mean(
    rowsOf(x, sizes.dimensions).map((row) => {
      const { s, jacobian } = scoreOf(weights, sizes, row);
      return jacobian.reduce((trace, r, i) => trace + r[i]!, 0) + 0.5 * dot(s, s);
    }),
  );

/** v . J v + (v . s)^2 / 2 or + |s|^2 / 2, the mean over x and the vectors. */
export const sliced64 = (
  weights: Weights,
  sizes: Sizes,
  x: ArrayLike<number>,
  vectors: readonly ArrayLike<number>[],
  varianceReduction: boolean,
): number =>
  mean(
    vectors.map((all) => {
      const v = rowsOf(all, sizes.dimensions);
      return mean(
        rowsOf(x, sizes.dimensions).map((row, n) => {
          const { s, jacobian } = scoreOf(weights, sizes, row);
          const along = jacobian.map((r) => dot(r, v[n]!));
          return dot(v[n]!, along) + 0.5 * (varianceReduction ? dot(s, s) : dot(s, v[n]!) ** 2);
        }),
      );
    }),
  );

/** |s(x + sigma z) + z / sigma|^2 / 2, the mean over x. */
export const dsm64 = (
  weights: Weights,
  sizes: Sizes,
  x: ArrayLike<number>,
  z: ArrayLike<number>,
  sigma: number,
): number => {
  const noise = rowsOf(z, sizes.dimensions);
  return mean(
    rowsOf(x, sizes.dimensions).map((row, n) => {
      const { s } = scoreOf(
        weights,
        sizes,
        row.map((v, i) => v + sigma * noise[n]![i]!),
      );
      const error = s.map((v, i) => v + noise[n]![i]! / sigma);
      return 0.5 * dot(error, error);
    }),
  );
};
