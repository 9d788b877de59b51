interface SemidefiniteFactor {
  readonly rank: number;
  /** F [rank, dim], with F^T F the matrix. */
  readonly rows: Float64Array;
}

/**
 * A factor of a symmetric positive semidefinite matrix [dim, dim], by Cholesky's method with diagonal pivots (Higham
 * 1990, and LAPACK's pstrf). It ends where what is left of every diagonal element is rounding, dim 2^-52 times the
 * largest, so that a singular matrix gets a factor of its own rank and nothing need be added to it.
 */
export function semidefiniteFactor(matrix: Float64Array, dim: number): SemidefiniteFactor {
  const left = Float64Array.from({ length: dim }, (_, i) => matrix[i * dim + i]!);
  const rounding = dim * Number.EPSILON * left.reduce((most, value) => Math.max(most, value), 0);
  const rows = new Float64Array(dim * dim);
  let rank = 0;
  for (; rank < dim; rank++) {
    const pivot = largest(left);
    if (!(left[pivot]! > rounding)) break;
    const row = rows.subarray(rank * dim, (rank + 1) * dim);
    row.set(matrix.subarray(pivot * dim, (pivot + 1) * dim));
    for (let t = 0; t < rank; t++) {
      const [before, factor] = [t * dim, rows[t * dim + pivot]!];
      for (let i = 0; i < dim; i++) row[i]! -= factor * rows[before + i]!;
    }
    const root = Math.sqrt(left[pivot]!);
    for (let i = 0; i < dim; i++) {
      row[i]! /= root;
      left[i]! -= row[i]! ** 2;
    }
    left[pivot] = 0;
  }
  return { rank, rows: rows.slice(0, rank * dim) };
}

function largest(values: Float64Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
