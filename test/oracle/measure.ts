import { expect } from "vitest";
import { type Array64, array, binary, philox } from "../../engine/oracle/index.ts";

const { map, zip } = array;

export function draw(dims: readonly number[], seed: number): Array64 {
  return philox.randomNormal(dims, { seed: [seed, 0], step: 0, purpose: 0 });
}

export function dot(a: Array64, b: Array64): number {
  return zip(a, b, (x, y) => x * y).data.reduce((total, value) => total + value, 0);
}

export function maxAbs(x: Array64): number {
  return x.data.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
}

/** Largest difference within `rel` of the largest expected value. */
export function expectNear(actual: Array64, expected: Array64, rel: number): void {
  expect(actual.shape).toEqual(expected.shape);
  const error = maxAbs(zip(actual, expected, (a, b) => a - b));
  expect(error).toBeLessThanOrEqual(rel * maxAbs(expected) + 1e-12);
}

/** Gradient of dot(dy, f(x)) by central differences, one element at a time. */
export function numericGrad(f: (x: Array64) => Array64, x: Array64, dy: Array64, h = 1e-5): Array64 {
  const nudged = (at: number, by: number) =>
    dot(dy, f(map(x, (value, i) => (i === at ? value + by : value))));
  return map(x, (_, i) => (nudged(i, h) - nudged(i, -h)) / (2 * h));
}

/** <A x, y> = <x, A^T y> for a linear pair. */
export function expectAdjoint(
  forward: (x: Array64) => Array64,
  adjoint: (y: Array64) => Array64,
  x: Array64,
): void {
  const Ax = forward(x);
  const y = draw(Ax.shape, 99);
  const back = adjoint(y);
  expect(back.shape).toEqual(x.shape);
  expect(dot(Ax, y)).toBeCloseTo(dot(x, back), 9);
}

export const add = (a: Array64, b: Array64) => binary.applyBinary("add", a, b);
export const mul = (a: Array64, b: Array64) => binary.applyBinary("mul", a, b);
