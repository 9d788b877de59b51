import { UsageError } from "../../engine/errors.ts";
import type { Moments } from "./moments.ts";
import { semidefiniteFactor } from "./semidefinite-factor.ts";
import { symmetricEigenvalues } from "./symmetric-eigenvalues.ts";

/**
 * Frechet distance of two Gaussians, |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2): their squared 2-Wasserstein
 * distance (Dowson & Landau 1982; of Inception's features Heusel et al. 2017, eq. 6). From few samples it comes out too
 * large, for both covariances miss what the samples do not span. Throws UsageError for moments of different dimensions.
 */
export function frechetDistance(a: Moments, b: Moments): number {
  const { dim } = a;
  if (b.dim !== dim)
    throw new UsageError(
      `frechetDistance: got moments of ${dim} and ${b.dim} dimensions, expected the same features of both sets`,
    );
  let sum = 0;
  for (let d = 0; d < dim; d++) {
    sum += (a.mean[d]! - b.mean[d]!) ** 2 + a.covariance[d * (dim + 1)]! + b.covariance[d * (dim + 1)]!;
  }
  return Math.max(0, sum - 2 * traceOfRoot(a.covariance, b.covariance, dim));
}

/**
 * tr (S1 S2)^(1/2) of symmetric positive semidefinite S1 and S2 [dim, dim]. With S1 = F^T F of full row rank, S1 S2 has
 * the eigenvalues of F S2 F^T, symmetric, and zeros: real, none lost to a singular S1 and nothing added to make it
 * regular. A zero that rounding left below 0 counts as 0.
 */
export function traceOfRoot(s1: Float64Array, s2: Float64Array, dim: number): number {
  const { rank, rows } = semidefiniteFactor(s1, dim);
  const product = sandwiched(rows, s2, rank, dim);
  let sum = 0;
  for (const value of symmetricEigenvalues(product, rank)) sum += Math.sqrt(Math.max(0, value));
  return sum;
}

/** F S F^T [rank, rank] of F [rank, dim] and symmetric S [dim, dim]; the lower half and its mirror image. */
function sandwiched(f: Float64Array, s: Float64Array, rank: number, dim: number): Float64Array {
  const product = new Float64Array(rank * rank);
  const line = new Float64Array(dim);
  for (let i = 0; i < rank; i++) {
    line.fill(0);
    for (let k = 0; k < dim; k++) {
      const [value, row] = [f[i * dim + k]!, k * dim];
      for (let d = 0; d < dim; d++) line[d]! += value * s[row + d]!;
    }
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let d = 0; d < dim; d++) sum += line[d]! * f[j * dim + d]!;
      product[i * rank + j] = sum;
      product[j * rank + i] = sum;
    }
  }
  return product;
}
