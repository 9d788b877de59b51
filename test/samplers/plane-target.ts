/** Targets on the plane that are a product along two tilted axes: their scores in ops, and along an axis in float64. */
import { expect } from "vitest";
import type { Engine } from "../../engine/engine.ts";
import {
  add,
  div,
  log,
  logsumexp,
  mul,
  neg,
  reshape,
  softmax,
  square,
  sub,
  sum,
} from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { asScore, type Energy, type ScoreFunction } from "../../samplers/index.ts";
import { zScore } from "../support/near.ts";
import type { Matrix, Point } from "./closed-form.ts";
import { gaussianLaw, type LineFunction, type LineLaw, type Normal } from "./line-law.ts";

export interface LinePart {
  readonly weight: number;
  readonly mean: number;
  readonly variance: number;
}

/** Independent along AXES: a mixture along the first, one Gaussian along the second. */
export interface PlaneTarget {
  readonly along: readonly LinePart[];
  readonly across: LinePart;
}

export const gaussian: PlaneTarget = {
  along: [{ weight: 1, mean: 0.7, variance: 0.5 }],
  across: { weight: 1, mean: -0.3, variance: 0.04 },
};
/** Six standard deviations or more from the middle of the gap, where chains seldom are. */
export const twoParts: PlaneTarget = {
  along: [
    { weight: 0.7, mean: -1.4, variance: 0.04 },
    { weight: 0.3, mean: 1.4, variance: 0.03 },
  ],
  across: { weight: 1, mean: 0.2, variance: 0.1 },
};

const AXES: Matrix = [
  [Math.cos(0.6), Math.sin(0.6)],
  [-Math.sin(0.6), Math.cos(0.6)],
];

/** p(x_t | x_0) = N(alpha x_0, variance I), as numbers or [n] each. */
export interface Noised<T> {
  readonly alpha: T;
  readonly variance: T;
}

/** grad log of a mixture along one axis, when noised. */
export const lineScore =
  (parts: readonly LinePart[]) =>
  (x: number, { alpha, variance }: Noised<number>): number => {
    // Shares in terms of the first part's, which may underflow to 0 or overflow to all.
    let [shares, total, reference] = [0, 0, 0];
    for (const [k, part] of parts.entries()) {
      const away = alpha * part.mean - x;
      const v = alpha * alpha * part.variance + variance;
      const log = Math.log(part.weight / Math.sqrt(v)) - (away * away) / (2 * v);
      if (k === 0) reference = log;
      const share = Math.exp(Math.min(log - reference, 600));
      shares += share;
      total += (share * away) / v;
    }
    return total / shares;
  };

/** The target in ops: its score, told what `noised` makes of the condition, and its energy when it is not noised. */
export function planeScore(
  engine: Engine,
  { along, across }: PlaneTarget,
  noised: (condition: Tensor) => Noised<Tensor>,
): ScoreFunction & { energy: Energy } & Disposable {
  const row = (values: readonly number[]) => engine.untrack(engine.tensor(values, [1, values.length]));
  const axes = AXES.map(row);
  const lines = [along, [across]].map((parts) => ({
    logs: row(parts.map((p) => Math.log(p.weight))),
    means: row(parts.map((p) => p.mean)),
    variances: row(parts.map((p) => p.variance)),
  }));
  const termsOf = (x: Tensor, { alpha, variance }: Noised<Tensor>) => {
    const [a, v] = [reshape(alpha, [-1, 1]), reshape(variance, [-1, 1])];
    return lines.map(({ logs, means, variances }, i) => {
      const away = sub(mul(a, means), sum(mul(x, axes[i]!), { axis: 1, keepDims: true })); // [n,k]
      const spread = add(mul(square(a), variances), v);
      const terms = sub(sub(logs, mul(log(spread), 0.5)), div(square(away), mul(spread, 2)));
      return { terms, pull: div(away, spread) };
    });
  };
  const scoreOf = (x: Tensor, at: Noised<Tensor>) =>
    termsOf(x, at)
      .map(({ terms, pull }, i) => mul(sum(mul(softmax(terms), pull), { axis: 1, keepDims: true }), axes[i]!))
      .reduce((a, b) => add(a, b));
  const clean = (x: Tensor): Noised<Tensor> => ({
    alpha: engine.ones([x.dim(0)]),
    variance: engine.zeros([x.dim(0)]),
  });
  const energy: Energy = {
    energy: (x) =>
      termsOf(x, clean(x))
        .map(({ terms }) => neg(logsumexp(terms)))
        .reduce((a, b) => add(a, b)),
    score: (x) => scoreOf(x, clean(x)),
  };
  const constants = [...axes, ...lines.flatMap((line) => Object.values(line))];
  return Object.assign(
    asScore((x, condition) => scoreOf(x, noised(condition))),
    { energy, [Symbol.dispose]: () => constants.forEach((t) => void t.dispose()) },
  );
}

/** Points of a target: places along its axes, [n,2], on the plane. */
export const onPlane = (places: readonly Point[]): number[] =>
  places.flatMap(([a, b]) => [AXES[0][0] * a + AXES[1][0] * b, AXES[0][1] * a + AXES[1][1] * b]);

/** Points [n,2] along the two axes. */
const alongAxes = (points: ArrayLike<number>): Point[] =>
  Array.from({ length: points.length / 2 }, (_, i) => {
    const [x, y] = [points[2 * i]!, points[2 * i + 1]!];
    return [AXES[0][0] * x + AXES[0][1] * y, AXES[1][0] * x + AXES[1][1] * y];
  });

type ZScores = Readonly<Record<string, number>>;

/**
 * z-scores of the mean and the covariance of independent Gaussian points [n,2] with these laws along the axes. Sums of
 * squares have a chi-squared law, whose cube root is very nearly normal: Wilson & Hilferty 1931.
 */
export function gaussianZ(points: ArrayLike<number>, laws: readonly [Normal, Normal]): ZScores {
  const rows = alongAxes(points).map(
    (row) => row.map((v, i) => (v - laws[i]!.mean) / Math.sqrt(laws[i]!.variance)) as unknown as Point,
  );
  const n = rows.length;
  const average = (f: (row: Point) => number) => rows.reduce((total, row) => total + f(row), 0) / n;
  const cubeRoot = (meanSquare: number) =>
    (Math.cbrt(meanSquare) - (1 - 2 / (9 * n))) / Math.sqrt(2 / (9 * n));
  return {
    "mean along": zScore(
      average(([a]) => a),
      0,
      1,
      n,
    ),
    "mean across": zScore(
      average(([, b]) => b),
      0,
      1,
      n,
    ),
    "variance along": cubeRoot(average(([a]) => a * a)),
    "variance across": cubeRoot(average(([, b]) => b * b)),
    covariance: zScore(
      average(([a, b]) => a * b),
      0,
      1,
      n,
    ),
  };
}

/** Which part a place on the first axis belongs to: 1 for the second, 0 for the first, with a smooth turn in the gap. */
const second: LineFunction = (x) => 1 / (1 + Math.exp(-x / 0.1));
const first: LineFunction = (x) => 1 - second(x);
const [left, right] = twoParts.along.map(({ mean, variance }) => {
  const scale = Math.sqrt(variance);
  return (x: number) => (x - mean) / scale;
}) as [LineFunction, LineFunction];
/** Along the first axis: the second part's weight, and first and second moments within either part. */
const observables: Readonly<Record<string, LineFunction>> = {
  weight: second,
  "mean of the first": (x) => first(x) * left(x),
  "mean of the second": (x) => second(x) * right(x),
  "variance of the first": (x) => first(x) * left(x) ** 2,
  "variance of the second": (x) => second(x) * right(x) ** 2,
};

/**
 * z-scores of weights, means and covariances of the parts of independent points [n,2] with these laws along the axes,
 * the second of which is Gaussian and independent of the first.
 */
export function twoPartsZ(points: ArrayLike<number>, along: LineLaw, across: Normal): ZScores {
  const rows = alongAxes(points);
  const n = rows.length;
  const z = (value: (row: Point) => number, expected: number) => {
    const values = rows.map(value);
    const mean = values.reduce((total, v) => total + v, 0) / n;
    const square = values.reduce((total, v) => total + (v - mean) ** 2, 0) / n;
    return zScore(mean, expected, Math.sqrt(square), n);
  };
  const expected = along.means(Object.values(observables));
  const scaled = (b: number) => (b - across.mean) / Math.sqrt(across.variance);
  return {
    ...Object.fromEntries(
      Object.entries(observables).map(([name, f], i) => [name, z(([a]) => f(a), expected[i]!)]),
    ),
    "mean across": z(([, b]) => scaled(b), 0),
    "variance across": z(([, b]) => scaled(b) ** 2, 1),
    "covariance in the first": z(([a, b]) => first(a) * left(a) * scaled(b), 0),
    "covariance in the second": z(([a, b]) => second(a) * right(a) * scaled(b), 0),
    "mean across by part": z(([a, b]) => second(a) * scaled(b), 0),
  };
}

/** The law along the first axis of the target itself, noised. */
export const lawOf = (parts: readonly LinePart[], { alpha, variance }: Noised<number>): LineLaw =>
  mixed(
    parts.map((part) => [
      part.weight,
      gaussianLaw({ mean: alpha * part.mean, variance: alpha ** 2 * part.variance + variance }, []),
    ]),
  );

/** The law of chains of which shares have the laws given. */
export const mixed = (laws: readonly (readonly [weight: number, law: LineLaw])[]): LineLaw => ({
  means(f) {
    const all = laws.map(([weight, law]) => law.means(f).map((mean) => weight * mean));
    return f.map((_, k) => all.reduce((total, means) => total + means[k]!, 0));
  },
});

/** Weight and moments of the two parts. */
export const observed = (law: LineLaw): number[] => law.means(Object.values(observables));

/**
 * Expects each of a file's z-scores below the one that a false alarm among all of them, `count`, exceeds once in a
 * thousand times: Bonferroni's bound at a rate of 1e-3 for the whole.
 */
export function expectChance(scores: ZScores, count: number): void {
  const bound = twoSided(1e-3 / count);
  for (const [name, z] of Object.entries(scores))
    expect(Math.abs(z), `z-score of ${name}: ${z.toFixed(2)}`).toBeLessThan(bound);
}

/** The z that |z| exceeds with probability p, by bisection. */
function twoSided(p: number): number {
  let [low, high] = [0, 10];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (2 * upperTail(middle) > p) low = middle;
    else high = middle;
  }
  return high;
}

/** P(Z > z) of a standard normal Z: the trapezoid rule of Mills' integral, exp(-z^2/2) int_0^inf exp(-z t - t^2/2) dt. */
function upperTail(z: number): number {
  const dt = 0.002;
  let total = 0.5;
  for (let t = dt; t < 10; t += dt) total += Math.exp(-z * t - 0.5 * t * t);
  return (Math.exp(-0.5 * z * z) * total * dt) / Math.sqrt(2 * Math.PI);
}
