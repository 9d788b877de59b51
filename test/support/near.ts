import { expect } from "vitest";
import type { Array64 } from "../../engine/oracle/array.ts";

/**
 * The rule of all value tests, the same on every adapter. Rounding to float32 errs by at most 2^-24 = 6e-8 of a
 * number; an op that rounds a few times, or a function good to a few ulp, by 2e-6 (34 such errors). A sum of n terms
 * errs like a random walk, by the root of n times that, relative to the sum of the terms' magnitudes, which under
 * cancellation is more than the result's. So |got - expected| <= 2e-6 sqrt(terms) magnitude.
 */
export const ROUNDING = 2e-6;

export interface Tolerance {
  /** Terms that are added up for one element; 1 if absent. */
  terms?: number;
  /**
   * What rounding is relative to: each element's own size ("own"), the largest of all (the default), or for
   * sums under cancellation each element's sum of magnitudes: the oracle of the inputs' absolute values.
   */
  magnitude?: "own" | "largest" | number | Array64;
  /**
   * Smaller differences count as none: twice the smallest normal float32, since drivers may flush what is below,
   * and an intermediate is often half of the result.
   */
  floor?: number;
}

const FLUSHED = 2.4e-38;
const LARGEST = 3.4028235e38;

/** Compares element by element; NaN is near NaN only, an infinity only itself and what overflows float32. */
export function expectNear(
  got: ArrayLike<number>,
  expected: Array64,
  { terms = 1, magnitude = "largest", floor = FLUSHED }: Tolerance = {},
  what = "value",
): void {
  expect(got.length, `${what}: number of elements`).toBe(expected.data.length);
  const largest = expected.data.reduce(
    (top, v) => (Number.isFinite(v) ? Math.max(top, Math.abs(v)) : top),
    0,
  );
  const sizeAt = (i: number): number => {
    if (magnitude === "largest") return largest;
    if (magnitude === "own") return Math.abs(expected.data[i]!);
    return typeof magnitude === "number" ? magnitude : Math.abs(magnitude.data[i]!);
  };
  for (let i = 0; i < got.length; i++) {
    const exact = expected.data[i]!;
    const [a, e] = [got[i]!, Math.abs(exact) > LARGEST ? Math.sign(exact) * Infinity : exact];
    if (Object.is(a, e) || a === e) continue;
    const allowed = ROUNDING * Math.sqrt(terms) * sizeAt(i) + floor;
    if (!(Math.abs(a - e) <= allowed))
      expect.fail(
        `${what}: element ${i} of [${expected.shape}]: got ${a}, expected ${e}, allowed ${allowed.toExponential(1)}`,
      );
  }
}

/** A number against another, within `rel` of a scale. */
export function expectScalarNear(
  got: number,
  expected: number,
  rel: number,
  scale: number,
  what: string,
): void {
  if (!(Math.abs(got - expected) <= rel * Math.max(scale, Math.abs(expected)) + 1e-30))
    expect.fail(
      `${what}: got ${got}, expected ${expected}, allowed ${rel} of ${Math.max(scale, Math.abs(expected))}`,
    );
}

/** How many standard errors a sample mean lies from where it should. */
export const zScore = (mean: number, expected: number, deviation: number, samples: number): number =>
  ((mean - expected) / deviation) * Math.sqrt(samples);
