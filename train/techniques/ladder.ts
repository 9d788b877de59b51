import { UsageError } from "../../engine/errors.ts";
import { normalBetween } from "./normal.ts";
import { root } from "./root.ts";

/**
 * How much of one noise scale's samples the next smaller scale expects, for a ratio gamma of the scales and samples of D
 * elements: Phi(sqrt(2D) (gamma - 1) + 3 gamma) - Phi(sqrt(2D) (gamma - 1) - 3 gamma), with Phi the normal distribution
 * function. Song & Ermon 2020, technique 2. gamma from 1, D from 1; a share of 1.
 */
export function levelOverlap(gamma: number, dimensions: number): number {
  const shift = Math.sqrt(2 * dimensions) * (gamma - 1);
  return normalBetween(shift - 3 * gamma, shift + 3 * gamma);
}

/** The overlap of equal scales: none is larger, but for a little just above. */
const MOST = levelOverlap(1, 1);
/** Below so many elements the shells of two scales overlap by more than 0.99, whatever their ratio. */
const LEAST_DIMENSIONS = 5;

/**
 * The ratio gamma > 1 of neighbouring noise scales at which they overlap so much: technique 2 asks for 0.5. Throws
 * UsageError for an overlap not between 0 and 0.997 and for samples of fewer than 5 elements, which no ratio sets apart.
 */
export function ratioFor(overlap: number, dimensions: number): number {
  if (!(overlap > 0 && overlap < MOST))
    throw new UsageError(
      `ladder: got overlap ${overlap}, expected a share between 0 and ${MOST.toFixed(4)}; 0.5 as published`,
    );
  if (!(Number.isSafeInteger(dimensions) && dimensions >= LEAST_DIMENSIONS))
    throw new UsageError(
      `ladder: got samples of ${dimensions} elements, expected a whole number from ${LEAST_DIMENSIONS}: of fewer, ` +
        "all scales overlap; write the ladder by hand",
    );
  const excess = (gamma: number) => levelOverlap(gamma, dimensions) - overlap;
  let high = 1.01;
  while (excess(high) > 0) high = 1 + 2 * (high - 1);
  return root(excess, 1, high);
}

export interface Ladder {
  /** Largest noise scale. */
  readonly begin: number;
  /** Smallest noise scale. */
  readonly end: number;
  /** L. */
  readonly count: number;
  /** Ratio of neighbours, larger by smaller, which makes both ends exact. */
  readonly gamma: number;
}

/**
 * The geometric ladder from begin down to end whose neighbours overlap by as near to `overlap` as a whole number of scales
 * allows. Throws UsageError unless begin > end > 0, and as `ratioFor`.
 */
export function ladderFor(begin: number, end: number, overlap: number, dimensions: number): Ladder {
  if (!(end > 0 && begin > end && Number.isFinite(begin)))
    throw new UsageError(`ladder: got begin ${begin}, end ${end}, expected begin > end > 0`);
  const steps = Math.log(begin / end) / Math.log(ratioFor(overlap, dimensions));
  const count = 1 + Math.max(1, Math.round(steps));
  return { begin, end, count, gamma: ratioOf(begin, end, count) };
}

/** The ratio of neighbours in a geometric ladder of at least two scales. */
export const ratioOf = (begin: number, end: number, count: number): number =>
  Math.exp(Math.log(begin / end) / (count - 1));
