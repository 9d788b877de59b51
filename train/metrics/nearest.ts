import { requireWhole } from "../../samplers/require.ts";
import { countVectors } from "./vectors.ts";

/** The nearest vectors of a set to each of another's. */
export interface Neighbours {
  /** How many of each. */
  readonly count: number;
  /** [n, count], the nearest first. */
  readonly index: Int32Array;
  /** [n, count], ascending in each row. */
  readonly distance: Float64Array;
}

/**
 * The `most` vectors of b [m, dim] nearest to each vector of a [n, dim]; of equally near ones the first. A sum already
 * too large is left off early. With fewer than `most` vectors in b, all of them. Throws UsageError for no vectors, or
 * parts of one, for values that are not finite, and unless `most` is a whole number from 1.
 */
export function nearestNeighbours(a: Float32Array, b: Float32Array, dim: number, most = 1): Neighbours {
  const n = countVectors("nearestNeighbours", "a", a, dim);
  const m = countVectors("nearestNeighbours", "b", b, dim);
  requireWhole("nearestNeighbours", { most }, 1);
  const count = Math.min(most, m);
  const index = new Int32Array(n * count);
  const square = new Float64Array(n * count).fill(Infinity);
  for (let i = 0; i < n; i++) {
    const [first, last] = [i * count, (i + 1) * count - 1];
    for (let j = 0; j < m; j++) {
      const limit = square[last]!;
      let sum = 0;
      for (let d = 0; d < dim && sum < limit; d++) sum += (a[i * dim + d]! - b[j * dim + d]!) ** 2;
      if (sum >= limit) continue;
      let at = last;
      for (; at > first && square[at - 1]! > sum; at--) {
        square[at] = square[at - 1]!;
        index[at] = index[at - 1]!;
      }
      square[at] = sum;
      index[at] = j;
    }
  }
  return { count, index, distance: square.map(Math.sqrt) };
}

/** Distance of each vector of a [n, dim] to its nearest in b [m, dim]. -> [n]. Throws as nearestNeighbours. */
export const nearestDistances = (a: Float32Array, b: Float32Array, dim: number): Float64Array =>
  nearestNeighbours(a, b, dim).distance;
