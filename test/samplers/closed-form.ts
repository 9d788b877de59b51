/** Scores in closed form, written in ops: what a sampler can be held against. */
import type { Component } from "../../data/mixture.ts";
import type { Engine } from "../../engine/engine.ts";
import {
  add,
  concat,
  div,
  embedding,
  mul,
  narrow,
  reshape,
  scale,
  softmax,
  square,
  sub,
  sum,
} from "../../engine/ops/index.ts";
import { asScore, type ScoreFunction } from "../../samplers/index.ts";

export interface ClosedForm extends Disposable {
  score: ScoreFunction;
}

/** Points and 2 x 2 matrices of the plane. */
export type Point = readonly [number, number];
export type Matrix = readonly [Point, Point];

/**
 * grad log of a mixture of round Gaussians on the plane, blurred by N(0, sigma^2 I): x [n,2], labels [n] -> [n,2].
 * The responsibilities are a softmax over the components of log(weight / variance) - |x - mean|^2 / (2 variance).
 */
export function mixtureScore(
  engine: Engine,
  components: readonly Component[],
  sigmas: readonly number[],
): ClosedForm {
  const table = (rows: readonly (readonly number[])[]) =>
    engine.untrack(engine.tensor(rows.flat(), [rows.length, rows[0]!.length]));
  const variances = sigmas.map((s) => components.map((c) => c.sigma ** 2 + s ** 2));
  const tables = [
    table(variances), // [L,K]
    table(variances.map((row) => row.map((v, k) => Math.log(components[k]!.weight / v)))), // [L,K]
    table(components.map((c) => c.mean)), // [K,2]
  ] as const;
  const score = asScore((x, labels) => {
    const [n, k] = [x.dim(0), components.length];
    const variance = embedding(tables[0], labels); // [n,K]
    const toMean = sub(reshape(tables[2], [1, k, 2]), reshape(x, [n, 1, 2])); // [n,K,2]
    const distance = sum(square(toMean), { axis: -1 }); // [n,K]
    const logTerms = sub(embedding(tables[1], labels), scale(div(distance, variance), 0.5));
    const pull = div(softmax(logTerms), variance); // responsibility / variance
    return sum(mul(toMean, reshape(pull, [n, k, 1])), { axis: 1 });
  });
  return { score, [Symbol.dispose]: () => tables.forEach((t) => void t.dispose()) };
}

/** The score of N(mean, covariance + sigma^2 I): -(covariance + sigma^2 I)^-1 (x - mean). */
export function gaussianScore(
  engine: Engine,
  mean: Point,
  covariance: Matrix,
  sigmas: readonly number[],
): ClosedForm {
  const rows = sigmas.map((s) => inverse(blurred(covariance, s)).flat());
  const precision = engine.untrack(engine.tensor(rows.flat(), [sigmas.length, 4]));
  const centre = engine.untrack(engine.tensor(mean, [1, 2]));
  const score = asScore((x, labels) => {
    const away = sub(centre, x); // [n,2]
    const p = embedding(precision, labels); // [n,4]
    const line = (i: number) => sum(mul(narrow(p, 1, 2 * i, 2), away), { axis: 1, keepDims: true });
    return add(concat([line(0), line(1)], 1), 0);
  });
  return {
    score,
    [Symbol.dispose]() {
      precision.dispose();
      centre.dispose();
    },
  };
}

export const blurred = ([[a, b], [c, d]]: Matrix, sigma: number): Matrix => [
  [a + sigma ** 2, b],
  [c, d + sigma ** 2],
];

export function inverse([[a, b], [c, d]]: Matrix): Matrix {
  const det = a * d - b * c;
  return [
    [d / det, -b / det],
    [-c / det, a / det],
  ];
}
