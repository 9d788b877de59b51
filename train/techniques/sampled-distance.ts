import { UsageError } from "../../engine/errors.ts";
import { philox4x32 } from "../../engine/oracle/philox.ts";
import { purposes } from "../../engine/random.ts";
import { distanceOf, type PointPair, type Points, spreadOf } from "./points.ts";

export interface SampledDistanceOptions {
  /** Pairs to look at, drawn at random. */
  pairs: number;
  /** A whole number below 2^53. */
  seed: number;
}

export interface SampledDistance extends PointPair {
  readonly pairs: number;
  /** With 95 % confidence, no more than this share of all pairs is farther apart. */
  readonly shareBeyond: number;
  /** No two points are farther apart: the two largest distances from the mean, together. */
  readonly upperBound: number;
}

/**
 * The largest distance among random pairs of points: at most the true one, and with an upper bound of that. Time goes with the
 * pairs instead of with the square of the points. Throws UsageError for fewer than two points, no pairs and
 * a seed that is no whole number.
 */
export function sampledDistance(points: Points, { pairs, seed }: SampledDistanceOptions): SampledDistance {
  if (!Number.isSafeInteger(pairs) || pairs < 1)
    throw new UsageError(`distance: got ${pairs} pairs, expected a whole number from 1`);
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new UsageError(`distance: got seed ${seed}, expected a whole number from 0 to 2^53 - 1`);
  const { radii } = spreadOf(points);
  const key = [seed % 2 ** 32, Math.floor(seed / 2 ** 32)] as const;
  let best: PointPair = { pair: [0, 1], distance: 0 };
  for (let k = 0; k < pairs; k++) {
    const [first, second] = philox4x32([0, k, 0, purposes.user], key);
    const i = below(first!, points.count);
    const j = (i + 1 + below(second!, points.count - 1)) % points.count; // another one
    const distance = distanceOf(points, i, j);
    if (distance > best.distance) best = { pair: [i, j], distance };
  }
  const [far, next] = twoLargest(radii);
  return { ...best, pairs, shareBeyond: 1 - 0.05 ** (1 / pairs), upperBound: far + next };
}

const below = (word: number, count: number): number => Math.floor((word / 2 ** 32) * count);

function twoLargest(values: Float64Array): [number, number] {
  let [first, second] = [0, 0];
  for (const v of values) {
    if (v > first) [first, second] = [v, first];
    else if (v > second) second = v;
  }
  return [first, second];
}
