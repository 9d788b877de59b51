import type { Axis } from "../../cli/pictures/ticks.ts";

/** The middles of side * side cells over [low, high]^2, [side^2, 2], row by row, the lowest y first. */
export function planeGrid(side: number, low: number, high: number): Float32Array<ArrayBuffer> {
  const at = (k: number) => low + ((high - low) * (k + 0.5)) / side;
  const out = new Float32Array(2 * side * side);
  for (let k = 0; k < side * side; k++) out.set([at(k % side), at(Math.floor(k / side))], 2 * k);
  return out;
}

/** An axis over exactly [-reach, reach]. */
export const planeAxis = (reach: number, ticks: number[]): Axis => ({ low: -reach, high: reach, ticks });

/** |v| of vectors [n, 2] -> [n]. */
export const lengths = (vectors: ArrayLike<number>): Float64Array =>
  Float64Array.from({ length: vectors.length / 2 }, (_, i) =>
    Math.hypot(vectors[2 * i]!, vectors[2 * i + 1]!),
  );

/** The value that a share of the values lies below. */
export const quantile = (values: Float64Array, share: number): number =>
  values.slice().sort()[Math.floor(share * (values.length - 1))]!;
