import { describe, test } from "vitest";
import { type Array64, array64, map, withResidual } from "../../engine/oracle/array.ts";
import { applyUnary } from "../../engine/oracle/unary.ts";
import { foldVariants, needsSubgroups } from "../../kernels/folds.ts";
import { range } from "../../kernels/kernel.ts";
import {
  type NormActivation,
  normActivations,
  normApply,
  normGradApply,
  normGradFactors,
  normGradSums,
  normMoments,
  normStatistics,
} from "../../kernels/norm.ts";
import { runVariants } from "../../kernels/runs.ts";
import { unaryGrad } from "../oracle/gradients.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
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

describe.each(foldVariants.filter((v) => engine.hardware.subgroups || !needsSubgroups(v)))(
  "by $by, in fours: $vec",
  (v) => {
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
  },
);

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
      const gradient = each((element, m, i) => {
        const { h, z } = inside(element, statistics, m, of(m));
        const [a, b, c] = factors.data.subarray(4 * m);
        return a! * dy.data[i]! * slope(act, z) + b! + c! * h;
      });
      for (const before of act === "elu" ? [undefined, normal([maps, hw], 6)] : [undefined]) {
        const { dx } = await launched(
          normGradApply,
          { act, ...v, before: before !== undefined },
          { ...inputs, dy, factors, ...(before && { before }) },
          { dx: [maps, hw] },
          all,
        );
        expectNear(dx!, withResidual(gradient, before), { magnitude: 30 }, `gradient, ${maps} x ${hw}`);
      }
    }
  });
});

/** Two images of 6 channels each, alone, in threes and all together; ++ goes with each alone. */
const groupings = [
  { groupSize: 1, plus: 0 },
  { groupSize: 3, plus: 0 },
  { groupSize: 6, plus: 0 },
  { groupSize: 1, plus: 1 },
];
const [IMAGES, CHANNELS, HW] = [2, 6, 5];
const MAPS = IMAGES * CHANNELS;
/** The maps of an image, or of a map's group. */
const ofImage = (m: number) => range(CHANNELS).map((c) => m - (m % CHANNELS) + c);
const ofGroup = (m: number, size: number) => range(size).map((c) => m - (m % size) + c);
const total = (maps: readonly number[], f: (m: number) => number) => maps.reduce((sum, m) => sum + f(m), 0);

describe.each(normStatistics.variants)("by $by", (v) => {
  test.each(groupings)("statistics of groups of $groupSize, ++: $plus", async ({ groupSize, plus }) => {
    const moments = map(normal([MAPS, 2], 1), (x, i) => (i % 2 === 0 ? x : HW * x * x));
    const [mean, squares] = [(m: number) => moments.data[2 * m]!, (m: number) => moments.data[2 * m + 1]!];
    const eps = 1e-2;
    const expected = range(MAPS).flatMap((m) => {
      const group = ofGroup(m, groupSize);
      const center = total(group, mean) / groupSize;
      const spread = total(group, (k) => squares(k) + HW * (mean(k) - center) ** 2);
      const rstd = 1 / Math.sqrt(spread / (groupSize * HW) + eps);
      if (plus === 0) return [center, rstd, 0, 0];
      const middle = total(ofImage(m), mean) / CHANNELS;
      const variance = total(ofImage(m), (k) => (mean(k) - middle) ** 2) / (CHANNELS - 1);
      const ustd = 1 / Math.sqrt(variance + eps);
      return [center, rstd, (mean(m) - middle) * ustd, ustd];
    });
    const { statistics } = await launched(
      normStatistics,
      v,
      { moments },
      { statistics: [MAPS, 4] },
      { maps: MAPS, channels: CHANNELS, groupSize, hw: HW, eps, plus },
    );
    expectNear(statistics!, array64([MAPS, 4], expected), { terms: CHANNELS });
  });

  test.each(groupings)(
    "factors of groups of $groupSize, ++: $plus; gradients where they are asked for",
    async ({ groupSize, plus }) => {
      const sums = normal([MAPS, 2], 1);
      const statistics = map(normal([MAPS, 4], 2), (x, i) => (i % 4 < 2 || plus === 1 ? x : 0));
      const { arrays, params, of } = parameters(CHANNELS);
      const [s1, s2] = [(m: number) => sums.data[2 * m]!, (m: number) => sums.data[2 * m + 1]!];
      const [rstd, u, ustd] = [1, 2, 3].map((k) => (m: number) => statistics.data[4 * m + k]!) as [
        Of,
        Of,
        Of,
      ];
      const [gamma, alpha] = [0, 2].map((k) => (m: number) => of(m % CHANNELS)[k]!) as [Of, Of];
      const drawn = (m: number) => gamma(m) * alpha(m) * s1(m);
      const factors = range(MAPS).flatMap((m) => {
        const group = ofGroup(m, groupSize);
        const size = groupSize * HW;
        const a = total(group, (k) => gamma(k) * s1(k));
        const b = total(group, (k) => gamma(k) * s2(k));
        const image = ofImage(m);
        const back = drawn(m) - total(image, drawn) / CHANNELS;
        const along = total(image, (k) => drawn(k) * u(k)) / (CHANNELS - 1);
        const dmu = plus === 1 ? (back - u(m) * along) * ustd(m) : 0;
        return [gamma(m) * rstd(m), dmu / HW - (rstd(m) * a) / size, (-rstd(m) * b) / size, 0];
      });
      // alpha first, three places left alone, then gamma; beta is not used
      const width = 2 * CHANNELS + 3;
      const grads = range(IMAGES).flatMap((image) => {
        const maps = range(CHANNELS).map((c) => image * CHANNELS + c);
        const dGamma = maps.map((m) => s2(m) + alpha(m) * u(m) * s1(m));
        return [...maps.map((m) => gamma(m) * u(m) * s1(m)), ...Array<number>(3).fill(Number.NaN), ...dGamma];
      });
      const got = await launched(
        normGradFactors,
        v,
        { sums, statistics, ...arrays },
        { factors: [MAPS, 4], grads: [IMAGES, width] },
        {
          ...{ maps: MAPS, hw: HW, ...params, useBeta: 0, groupSize, plus },
          ...{ width, dGammaAt: CHANNELS + 3, dBetaAt: 0, dAlphaAt: 0 },
        },
      );
      expectNear(got["factors"]!, array64([MAPS, 4], factors), { terms: CHANNELS });
      expectNear(got["grads"]!, array64([IMAGES, width], grads));
    },
  );
});

type Of = (map: number) => number;
