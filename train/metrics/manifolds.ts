import { UsageError } from "../../engine/errors.ts";
import { countVectors, squaredDistance } from "./vectors.ts";

export interface ManifoldFigures {
  /** Share of the samples inside the manifold of the real vectors: fidelity. */
  readonly precision: number;
  /** Share of the real vectors inside the manifold of the samples: variety. */
  readonly recall: number;
  /** Balls of real vectors that a sample lies in, over k: about 1 for another draw of the data, and it may exceed it. */
  readonly density: number;
  /** Share of the real vectors whose ball holds a sample. */
  readonly coverage: number;
}

/**
 * Improved precision and recall (Kynkaanniemi et al. 2019, eq. 1 and 2), density and coverage (Naeem et al. 2020, eq. 3
 * and 4). The manifold of a set is the union of balls around its vectors, each reaching to the k-th nearest other one.
 * real [n, dim], samples [m, dim]; equally many of both compare best. Time (n + m)^2 dim. Throws UsageError on shapes,
 * values not finite and no more vectors than k.
 */
export function manifoldFigures(
  real: Float32Array,
  samples: Float32Array,
  { dim, k = 3 }: { dim: number; k?: number },
): ManifoldFigures {
  if (!Number.isInteger(k) || k < 1)
    throw new UsageError(`manifoldFigures: got k ${k}, expected a whole number from 1; 3 is usual`);
  const n = countVectors("manifoldFigures", "real", real, dim, k + 1);
  const m = countVectors("manifoldFigures", "samples", samples, dim, k + 1);
  const [realReach, sampleReach] = [reaches(real, n, dim, k), reaches(samples, m, dim, k)];
  const ballsAround = new Uint32Array(m);
  const [holdsSample, insideSamples] = [new Uint8Array(n), new Uint8Array(n)];
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      const square = squaredDistance(real, i, samples, j, dim);
      if (square <= realReach[i]!) {
        ballsAround[j]!++;
        holdsSample[i] = 1;
      }
      if (square <= sampleReach[j]!) insideSamples[i] = 1;
    }
  }
  const total = (values: Uint8Array | Uint32Array) => {
    let sum = 0;
    for (const value of values) sum += value;
    return sum;
  };
  return {
    precision: ballsAround.filter((balls) => balls > 0).length / m,
    recall: total(insideSamples) / n,
    density: total(ballsAround) / (k * m),
    coverage: total(holdsSample) / n,
  };
}

/** Squared distance of each vector to its k-th nearest other one. */
function reaches(vectors: Float32Array, n: number, dim: number, k: number): Float64Array {
  const nearest = new Float64Array(n * k).fill(Infinity); // k ascending numbers each
  const keep = (i: number, square: number) => {
    let at = i * k + k - 1;
    if (square >= nearest[at]!) return;
    for (; at > i * k && nearest[at - 1]! > square; at--) nearest[at] = nearest[at - 1]!;
    nearest[at] = square;
  };
  for (let i = 1; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const square = squaredDistance(vectors, i, vectors, j, dim);
      keep(i, square);
      keep(j, square);
    }
  }
  return Float64Array.from({ length: n }, (_, i) => nearest[i * k + k - 1]!);
}
