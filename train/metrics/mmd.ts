import { UsageError } from "../../engine/errors.ts";
import { countVectors, squaredDistance, upperMedian } from "./vectors.ts";

export interface MmdOptions {
  dim: number;
  /** Widths of the kernels, in units of the data. Default: 1/4, 1/2, 1, 2 and 4 times the median distance. */
  bandwidths?: readonly number[];
}

const AROUND_MEDIAN = [0.25, 0.5, 1, 2, 4];
const MEDIAN_POINTS = 1000; // half a million distances tell the median

/**
 * Unbiased estimate of the squared maximum mean discrepancy between point sets a [n, dim] and b [m, dim],
 * under the mean of Gaussian kernels exp(-|x - y|^2 / (2 width^2)). Zero on average for equal distributions,
 * so slightly negative half the time; at most 2. Gretton et al. 2012, eq. 3. Takes time (n + m)^2 dim. Throws
 * UsageError for fewer than two vectors of either, or parts of one, for values that are not finite, and unless bandwidths
 * are positive and at least one.
 */
export function mmdSquared(a: Float32Array, b: Float32Array, { dim, bandwidths }: MmdOptions): number {
  const n = countVectors("mmdSquared", "a", a, dim, 2);
  const m = countVectors("mmdSquared", "b", b, dim, 2);
  const widths = bandwidths ?? scaled(AROUND_MEDIAN, medianDistance(a, b, dim));
  if (widths.length === 0 || !widths.every((width) => width > 0 && Number.isFinite(width)))
    throw new UsageError(
      `mmdSquared: got bandwidths [${widths}], expected positive numbers, at least one; ` +
        `leave them out for some around the median distance`,
    );
  const kernel = (squaredDistance: number) =>
    widths.reduce((sum, width) => sum + Math.exp(-squaredDistance / (2 * width * width)), 0) / widths.length;

  const within = (set: Float32Array, count: number) => {
    let sum = 0;
    for (let i = 1; i < count; i++) {
      for (let j = 0; j < i; j++) sum += kernel(squaredDistance(set, i, set, j, dim));
    }
    return (2 * sum) / (count * (count - 1)); // no point is paired with itself: unbiased
  };
  const between = () => {
    let sum = 0;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < m; j++) sum += kernel(squaredDistance(a, i, b, j, dim));
    }
    return sum / (n * m);
  };
  return within(a, n) + within(b, m) - 2 * between();
}

const scaled = (factors: readonly number[], unit: number) => factors.map((factor) => factor * unit);

/**
 * The median heuristic: the median distance between two different points of both sets together, of up to 1000
 * points spread evenly over them. Never 0.
 */
export function medianDistance(a: Float32Array, b: Float32Array, dim: number): number {
  const [n, m] = [a.length / dim, b.length / dim];
  const count = Math.min(n + m, MEDIAN_POINTS);
  const points = Array.from({ length: count }, (_, k) => {
    const i = Math.floor((k * (n + m)) / count);
    return i < n ? ([a, i] as const) : ([b, i - n] as const);
  });
  const distances = new Float64Array((count * (count - 1)) / 2);
  let pair = 0;
  for (let i = 1; i < count; i++) {
    for (let j = 0; j < i; j++) distances[pair++] = squaredDistance(...points[i]!, ...points[j]!, dim);
  }
  return Math.sqrt(upperMedian(distances)) || 1;
}
