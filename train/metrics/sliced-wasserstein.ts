import { requireWhole } from "../../samplers/require.ts";
import { uniformStream, unitDirection } from "./projections.ts";
import { countVectors } from "./vectors.ts";

export interface SlicedWassersteinOptions {
  dim: number;
  /** Random directions averaged over, 256 unless told; the error falls with the root of their number. */
  projections?: number;
  /** A whole number. */
  seed: number;
}

/**
 * Sliced 2-Wasserstein distance between point sets a [n, dim] and b [m, dim]: the root of the mean, over
 * directions on the unit sphere, of the squared W2 distance of the projections. In units of the data; two
 * sets apart by a shift s are |s| / sqrt(dim) apart. Rabin et al. 2011. Throws UsageError for no vectors, or parts of
 * one, for values that are not finite, for no projections, and for a seed that is no whole number.
 */
export function slicedWasserstein(
  a: Float32Array,
  b: Float32Array,
  { dim, projections = 256, seed }: SlicedWassersteinOptions,
): number {
  countVectors("slicedWasserstein", "a", a, dim);
  countVectors("slicedWasserstein", "b", b, dim);
  requireWhole("slicedWasserstein", { projections }, 1);
  requireWhole("slicedWasserstein", { seed }, 0);
  const uniform = uniformStream(seed);
  let sum = 0;
  for (let k = 0; k < projections; k++) {
    const direction = unitDirection(dim, uniform);
    sum += squaredW2(project(a, direction).sort(), project(b, direction).sort());
  }
  return Math.sqrt(sum / projections);
}

/**
 * Squared 2-Wasserstein distance of two sorted lists: the integral over u in [0, 1] of the squared difference
 * of their quantile functions. Both are staircases, with steps of 1/n and 1/m; between two neighbouring edges
 * of either the difference is constant, so the sum is exact for n != m too.
 */
export function squaredW2(a: Float64Array, b: Float64Array): number {
  const [n, m] = [a.length, b.length];
  let sum = 0;
  let [i, j, edge] = [0, 0, 0];
  while (i < n && j < m) {
    const next = Math.min((i + 1) * m, (j + 1) * n); // in units of 1/(n m), so that edges compare exactly
    sum += (next - edge) * (a[i]! - b[j]!) ** 2;
    edge = next;
    if (next === (i + 1) * m) i++;
    if (next === (j + 1) * n) j++;
  }
  return sum / (n * m);
}

/** The component of each vector along direction. [n, dim] -> [n] */
function project(vectors: Float32Array, direction: Float64Array): Float64Array {
  const dim = direction.length;
  const out = new Float64Array(vectors.length / dim);
  for (let i = 0; i < out.length; i++) {
    let sum = 0;
    for (let d = 0; d < dim; d++) sum += direction[d]! * vectors[i * dim + d]!;
    out[i] = sum;
  }
  return out;
}
