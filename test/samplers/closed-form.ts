/** Scores in closed form, written in ops: what a sampler can be held against. */
import { type Blur, mixtureInOps } from "../../bench/figures/mixture-in-ops.ts";
import { roundMixture } from "../../bench/figures/mixture-score.ts";
import type { Component } from "../../data/mixture.ts";
import type { Engine } from "../../engine/engine.ts";
import { add, concat, embedding, mul, narrow, neg, scale, sub, sum } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { asScore, type Energy, type ScoreFunction } from "../../samplers/index.ts";

export interface ClosedForm extends Disposable {
  score: ScoreFunction;
}

/** Points and 2 x 2 matrices of the plane. */
export type Point = readonly [number, number];
export type Matrix = readonly [Point, Point];

/** The energy -log p of the mixture itself. */
export function mixtureEnergy(engine: Engine, components: readonly Component[]): Energy & Disposable {
  const law = mixtureInOps(engine, roundMixture(components));
  const unblurred = (x: Tensor): Blur => ({ a: engine.ones([x.dim(0)]), v: engine.zeros([x.dim(0)]) });
  return {
    energy: (x) => neg(law.logDensity(x, unblurred(x))),
    score: (x) => law.score(x, unblurred(x)),
    [Symbol.dispose]: () => law[Symbol.dispose](),
  };
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

/** The energy of N(mean, covariance), up to a constant: half of (x - mean) . covariance^-1 (x - mean). */
export function gaussianEnergy(engine: Engine, mean: Point, covariance: Matrix): Energy & Disposable {
  const { score, [Symbol.dispose]: dispose } = gaussianScore(engine, mean, covariance, [0]);
  const centre = engine.untrack(engine.tensor(mean, [1, 2]));
  const unblurred = (x: Tensor) => score(x, engine.zeros([x.dim(0)], "i32"));
  return {
    energy: (x) => scale(sum(mul(sub(centre, x), unblurred(x)), { axis: 1 }), 0.5),
    score: unblurred,
    [Symbol.dispose]() {
      dispose();
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

export function times(a: Matrix, b: Matrix): Matrix {
  const at = (i: 0 | 1, j: 0 | 1) => a[i][0] * b[0][j] + a[i][1] * b[1][j];
  return [
    [at(0, 0), at(0, 1)],
    [at(1, 0), at(1, 1)],
  ];
}
