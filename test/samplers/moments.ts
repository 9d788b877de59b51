/** Holding drawn points of the plane to a law, to Monte Carlo error. */
import { expect } from "vitest";
import type { Component } from "../../data/mixture.ts";
import { zScore } from "../support/near.ts";
import type { Matrix, Point } from "./closed-form.ts";

export interface Moments {
  readonly mean: Point;
  readonly covariance: Matrix;
}

/** Of points [n,2]. */
export function moments(points: ArrayLike<number>): Moments {
  const n = points.length / 2;
  const average = (value: (x: number, y: number) => number) => {
    let total = 0;
    for (let i = 0; i < n; i++) total += value(points[2 * i]!, points[2 * i + 1]!);
    return total / n;
  };
  const [mx, my] = [average((x) => x), average((_, y) => y)];
  const xy = average((x, y) => (x - mx) * (y - my));
  return {
    mean: [mx, my],
    covariance: [
      [average((x) => (x - mx) ** 2), xy],
      [xy, average((_, y) => (y - my) ** 2)],
    ],
  };
}

/** Standard errors that a mean of thousands of independent points may be away. */
const MOST = 4;
const AXES = [0, 1] as const;

/** z-scores of the moments of independent points [n,2] that should be Gaussian: two means, then the covariances. */
export function gaussianScores(points: ArrayLike<number>, { mean, covariance: c }: Moments): number[] {
  const n = points.length / 2;
  const found = moments(points);
  const means = AXES.map((i) => zScore(found.mean[i], mean[i], Math.sqrt(c[i][i]), n));
  const covariances = [[0, 0] as const, [0, 1] as const, [1, 1] as const].map(([i, j]) =>
    zScore(found.covariance[i][j], c[i][j], Math.sqrt(c[i][i] * c[j][j] + c[i][j] ** 2), n),
  );
  return [...means, ...covariances];
}

export function expectGaussian(points: ArrayLike<number>, expected: Moments): void {
  const scores = gaussianScores(points, expected);
  expect(Math.max(...scores.map(Math.abs)), `z-scores ${scores.map((z) => z.toFixed(1))}`).toBeLessThan(MOST);
}

/** Weights, and the moments of each of two parts that hardly overlap, blurred by N(0, sigma^2 I). */
export function expectMixture(
  points: ArrayLike<number>,
  parts: readonly [Component, Component],
  sigma = 0,
): void {
  const n = points.length / 2;
  const groups: [number[], number[]] = [[], []];
  for (let i = 0; i < n; i++) {
    const [x, y] = [points[2 * i]!, points[2 * i + 1]!];
    const [near, far] = parts.map(({ mean }) => (x - mean[0]!) ** 2 + (y - mean[1]!) ** 2) as [
      number,
      number,
    ];
    groups[near < far ? 0 : 1].push(x, y);
  }
  for (const [k, { weight, mean, sigma: own }] of parts.entries()) {
    const share = groups[k as 0 | 1].length / 2 / n;
    const z = zScore(share, weight, Math.sqrt(weight * (1 - weight)), n);
    expect(Math.abs(z), `share of part ${k}: ${share}`).toBeLessThan(MOST);
    const variance = own ** 2 + sigma ** 2;
    expectGaussian(groups[k as 0 | 1], {
      mean: [mean[0]!, mean[1]!],
      covariance: [
        [variance, 0],
        [0, variance],
      ],
    });
  }
}

/** Means of functions of the plane over independent points [n,2], against a mixture's, however much its parts overlap. */
export function expectMeans(
  points: ArrayLike<number>,
  parts: readonly Component[],
  f: readonly Observable[],
): void {
  const n = points.length / 2;
  for (const [k, value] of f.entries()) {
    const values = Array.from({ length: n }, (_, i) => value(points[2 * i]!, points[2 * i + 1]!));
    const mean = values.reduce((a, b) => a + b, 0) / n;
    const deviation = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / n);
    const expected = parts.reduce((total, part) => total + part.weight * partMean(part, value), 0);
    const z = zScore(mean, expected, deviation, n);
    expect(Math.abs(z), `function ${k}: ${mean}, expected ${expected}`).toBeLessThan(MOST);
  }
}

export type Observable = (x: number, y: number) => number;

/** By sums over a grid, which for smooth functions err less than any sampling. */
function partMean({ mean, sigma }: Component, f: Observable): number {
  const STEP = 0.2;
  const nodes = Array.from({ length: 81 }, (_, i) => (i - 40) * STEP);
  const weight = (z: number) => (STEP / Math.sqrt(2 * Math.PI)) * Math.exp((-z * z) / 2);
  return nodes.reduce(
    (total, a) =>
      total +
      weight(a) *
        nodes.reduce((sum, b) => sum + weight(b) * f(mean[0]! + sigma * a, mean[1]! + sigma * b), 0),
    0,
  );
}
