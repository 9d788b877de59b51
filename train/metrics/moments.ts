import { countVectors } from "./vectors.ts";

/** What a Gaussian knows of a point set. */
export interface Moments {
  readonly count: number;
  readonly dim: number;
  /** [dim] */
  readonly mean: Float64Array;
  /** [dim, dim], of divisor count - 1, as np.cov. */
  readonly covariance: Float64Array;
}

/** Mean and covariance of vectors [n, dim] in float64. Throws UsageError on shapes, values not finite and n below 2. */
export function momentsOf(vectors: Float32Array, dim: number): Moments {
  const count = countVectors("momentsOf", "vectors", vectors, dim, 2);
  const mean = new Float64Array(dim);
  for (let at = 0; at < vectors.length; at += dim) {
    for (let d = 0; d < dim; d++) mean[d]! += vectors[at + d]! / count;
  }

  const covariance = new Float64Array(dim * dim);
  const centred = new Float64Array(dim);
  for (let at = 0; at < vectors.length; at += dim) {
    for (let d = 0; d < dim; d++) centred[d] = vectors[at + d]! - mean[d]!;
    for (let i = 0; i < dim; i++) {
      const [value, row] = [centred[i]! / (count - 1), i * dim];
      for (let j = 0; j <= i; j++) covariance[row + j]! += value * centred[j]!;
    }
  }
  for (let i = 0; i < dim; i++) {
    for (let j = 0; j < i; j++) covariance[j * dim + i] = covariance[i * dim + j]!;
  }
  return { count, dim, mean, covariance };
}
