import { describe, expect, test } from "vitest";
import { type Array64, array64 } from "../../engine/oracle/array.ts";
import { applyUnary, unaryGrad } from "../../engine/oracle/unary.ts";
import { foldVariants } from "../../kernels/folds.ts";
import {
  type NormActivation,
  normActivations,
  normApply,
  normGradApply,
  normGradFactors,
  normGradSums,
  normMoments,
} from "../../kernels/norm.ts";
import { runVariants } from "../../kernels/runs.ts";
import { normal } from "../support/draw.ts";
import { launched } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

const sizes = (vec: boolean) =>
  vec
    ? ([
        [1, 4],
        [65, 12],
        [3, 68],
        [2, 1000],
      ] as const)
    : ([
        [1, 1],
        [3, 5],
        [65, 9],
        [4, 63],
        [2, 64],
        [3, 65],
        [2, 1000],
      ] as const);

function eachMap(
  x: Array64,
  width: number,
  f: (values: Float64Array, map: number) => [number, number],
): Array64 {
  const maps = x.shape[0]!;
  const data = Array.from({ length: maps }, (_, m) =>
    f(x.data.subarray(m * width, (m + 1) * width), m),
  ).flat();
  return { shape: [maps, 2], data: Float64Array.from(data) };
}

const SLOPE = 0.2;
const slope = (act: NormActivation, z: number): number =>
  act === "none" ? 1 : unaryGrad[act](z, { slope: SLOPE });
const value = (act: NormActivation, z: number): number =>
  act === "none" ? z : applyUnary(act, array64([1], [z]), { slope: SLOPE }).data[0]!;

/** Parameters of one sample with as many channels as maps, side by side after three other numbers. */
const parameters = (channels: number) => {
  const row = normal([3 + 3 * channels], 4);
  const at = { gammaAt: 3, betaAt: 3 + channels, alphaAt: 3 + 2 * channels };
  const params = { channels, pitch: 0, ...at, useGamma: 1, useBeta: 1, useAlpha: 1, slope: SLOPE };
  const of = (m: number) =>
    [at.gammaAt, at.betaAt, at.alphaAt].map((start) => row.data[start + m]!) as Triple;
  return { arrays: { gamma: row, beta: row, alpha: row }, params, of };
};
type Triple = [gamma: number, beta: number, alpha: number];

/** xhat and what goes into the activation, of an element of map m. */
const inside = (v: number, statistics: Array64, m: number, [g, b, a]: Triple) => {
  const [center, rstd, u] = statistics.data.subarray(4 * m);
  const h = (v - center!) * rstd!;
  return { h, z: g * (h + a * u!) + b };
};

describe.each(foldVariants)("by $by, in fours: $vec", (v) => {
  test("moments: mean and centred squares of each map", async () => {
    for (const [maps, hw] of sizes(v.vec)) {
      const x = normal([maps, hw], 1);
      const expected = eachMap(x, hw, (values) => {
        const mean = values.reduce((a, b) => a + b, 0) / hw;
        return [mean, values.reduce((a, b) => a + (b - mean) ** 2, 0)];
      });
      const { moments } = await launched(normMoments, v, { x }, { moments: [maps, 2] }, { maps, hw });
      expectNear(moments!, expected, { terms: hw }, `${maps} x ${hw}`);
    }
  });

  test.each(normActivations)("sums of the gradient through %s", async (act) => {
    for (const [maps, hw] of sizes(v.vec)) {
      const [x, dy, statistics] = [normal([maps, hw], 1), normal([maps, hw], 2), normal([maps, 4], 3)];
      const { arrays, params, of } = parameters(maps);
      const expected = eachMap(x, hw, (values, m) => {
        let [s1, s2] = [0, 0];
        values.forEach((element, i) => {
          const { h, z } = inside(element, statistics, m, of(m));
          const d = dy.data[m * hw + i]! * slope(act, z);
          s1 += d;
          s2 += d * h;
        });
        return [s1, s2];
      });
      const { sums } = await launched(
        normGradSums,
        { act, ...v },
        { x, dy, statistics, ...arrays },
        { sums: [maps, 2] },
        { maps, hw, ...params },
      );
      expectNear(sums!, expected, { terms: hw, magnitude: 10 * hw }, `${maps} x ${hw}`);
    }
  });
});

describe.each(runVariants)("by runs of $run, in fours: $vec", (v) => {
  test.each(normActivations)("%s: value and gradient", async (act) => {
    for (const [maps, hw] of sizes(v.vec)) {
      const [x, dy] = [normal([maps, hw], 1), normal([maps, hw], 2)];
      const [statistics, factors] = [normal([maps, 4], 3), normal([maps, 4], 5)];
      const { arrays, params, of } = parameters(maps);
      const each = (f: (v: number, m: number, i: number) => number): Array64 => ({
        shape: x.shape,
        data: x.data.map((element, i) => f(element, Math.floor(i / hw), i)),
      });
      const all = { maps, hw, ...params };
      const inputs = { x, statistics, ...arrays };
      const { y } = await launched(normApply, { act, ...v }, inputs, { y: [maps, hw] }, all);
      const values = each((element, m) => value(act, inside(element, statistics, m, of(m)).z));
      expectNear(y!, values, { magnitude: 10 }, `${maps} x ${hw}`);
      const { dx } = await launched(
        normGradApply,
        { act, ...v },
        { ...inputs, dy, factors },
        { dx: [maps, hw] },
        all,
      );
      const gradient = each((element, m, i) => {
        const { h, z } = inside(element, statistics, m, of(m));
        const [a, b, c] = factors.data.subarray(4 * m);
        return a! * dy.data[i]! * slope(act, z) + b! + c! * h;
      });
      expectNear(dx!, gradient, { magnitude: 30 }, `gradient, ${maps} x ${hw}`);
    }
  });
});

test("gradients of parameters stand where they are asked for, and only those used", async () => {
  const [n, channels, hw] = [2, 3, 5];
  const maps = n * channels;
  const [sums, statistics] = [normal([maps, 2], 1), normal([maps, 4], 2)];
  const { arrays, params, of } = parameters(channels);
  const { grads } = await launched(
    normGradFactors,
    {},
    { sums, statistics, ...arrays },
    { factors: [maps, 4], grads: [n, 9] },
    {
      ...{ maps, hw, ...params, useBeta: 0, groupSize: 1, plus: 0 },
      ...{ width: 9, dGammaAt: 6, dBetaAt: 0, dAlphaAt: 3 },
    },
  );
  const expected = Array.from({ length: n }, (_, image) => {
    const of3 = (f: (m: number, parameters: Triple) => number) =>
      [0, 1, 2].map((c) => f(image * channels + c, of(c)));
    const [s1, s2] = [0, 1].map((k) => (m: number) => sums.data[2 * m + k]!) as [
      (m: number) => number,
      (m: number) => number,
    ];
    const u = (m: number) => statistics.data[4 * m + 2]!;
    return [
      ...[NaN, NaN, NaN],
      ...of3((m, [gamma]) => gamma * u(m) * s1(m)),
      ...of3((m, [, , alpha]) => s2(m) + alpha * u(m) * s1(m)),
    ];
  }).flat();
  expectNear(grads!, array64([n, 9], expected));
  expect(grads!.length).toBe(18);
});
