import { UsageError } from "../../engine/errors.ts";

/** A data set as vectors. */
export interface Points {
  readonly count: number;
  readonly dimensions: number;
  /** Writes point i, `dimensions` numbers, into `out` from `offset` on. */
  read(i: number, out: Float32Array, offset: number): void;
}

/** Two points and how far they are apart, in units of the data. */
export interface PointPair {
  readonly pair: readonly [number, number];
  readonly distance: number;
}

export interface Spread {
  /** [dimensions] */
  readonly mean: Float64Array;
  /** Distance of each point from the mean, [count]. */
  readonly radii: Float64Array;
}

/** The mean of the points, and how far from it each lies. Throws UsageError for fewer than two points. */
export function spreadOf(points: Points): Spread {
  const { count, dimensions } = points;
  if (count < 2) throw new UsageError(`distance: got ${count} images, expected at least two`);
  const row = new Float32Array(dimensions);
  const mean = new Float64Array(dimensions);
  for (let i = 0; i < count; i++) {
    points.read(i, row, 0);
    for (let d = 0; d < dimensions; d++) mean[d]! += row[d]! / count;
  }
  const radii = Float64Array.from({ length: count }, (_, i) => {
    points.read(i, row, 0);
    let squares = 0;
    for (let d = 0; d < dimensions; d++) squares += (row[d]! - mean[d]!) ** 2;
    return Math.sqrt(squares);
  });
  return { mean, radii };
}

/** |x_i - x_j| in float64. */
export function distanceOf(points: Points, i: number, j: number): number {
  const [a, b] = [new Float32Array(points.dimensions), new Float32Array(points.dimensions)];
  points.read(i, a, 0);
  points.read(j, b, 0);
  let squares = 0;
  for (let d = 0; d < a.length; d++) squares += (a[d]! - b[d]!) ** 2;
  return Math.sqrt(squares);
}
