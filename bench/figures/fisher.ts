import { UsageError } from "../../engine/errors.ts";

/** A mean over points with its standard error. */
export interface Estimate {
  mean: number;
  error: number;
}

export interface FisherDivergence {
  /** E|s - grad log p|^2, without the half of the losses. */
  absolute: Estimate;
  /** Over E|grad log p|^2: 0 for the true score, 1 for a score of zero, 4 for the true one with the wrong sign. */
  relative: Estimate;
  /** E|grad log p|^2: the divergence of the zero score. */
  ofZero: Estimate;
}

/**
 * How far a score is from the true one, both given at points drawn from p, [n, 2] each. Hyvärinen 2005, equation 2.
 * The error of the ratio is that of its linearisation. Throws UsageError unless both hold as many whole points, at least 2.
 */
export function fisherDivergence(score: ArrayLike<number>, truth: ArrayLike<number>): FisherDivergence {
  if (score.length !== truth.length || score.length < 4 || score.length % 2 !== 0)
    throw new UsageError(
      `fisherDivergence: got ${score.length} and ${truth.length} values, expected as many of each, 2 for each point`,
    );
  const squares = (f: (i: number) => number) =>
    Float64Array.from({ length: score.length / 2 }, (_, k) => f(2 * k) ** 2 + f(2 * k + 1) ** 2);
  const miss = squares((i) => score[i]! - truth[i]!);
  const size = squares((i) => truth[i]!);
  const [absolute, ofZero] = [estimate(miss), estimate(size)];
  const ratio = absolute.mean / ofZero.mean;
  const around = estimate(miss.map((value, k) => (value - ratio * size[k]!) / ofZero.mean));
  return { absolute, ofZero, relative: { mean: ratio, error: around.error } };
}

export function estimate(values: ArrayLike<number>): Estimate {
  const n = values.length;
  let mean = 0;
  for (let i = 0; i < n; i++) mean += values[i]! / n;
  let variance = 0;
  for (let i = 0; i < n; i++) variance += (values[i]! - mean) ** 2 / (n - 1);
  return { mean, error: Math.sqrt(variance / n) };
}
