/** Norms in two sweeps against float64: pieces of maps, tiles that a map or an image does not fill. */
import { describe, expect, test } from "vitest";
import { type Array64, array64, map, withResidual } from "../../engine/oracle/array.ts";
import { norm } from "../../engine/oracle/norm.ts";
import { MAX_GROUPS, range } from "../../kernels/kernel.ts";
import type { NormActivation } from "../../kernels/norm.ts";
import {
  type NormPiecesVariant,
  normCut,
  normGradPieces,
  normGradSplit,
  normPieces,
  normPiecesVariant,
  normSplit,
} from "../../kernels/norm-split.ts";
import { unaryGrad } from "../oracle/gradients.ts";
import { normGrad } from "../oracle/norm-gradients.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { eachVariant, launched } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

const SLOPE = 0.2;
const EPS = 1e-2;

const meanOf = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((a, b) => a + b, 0) / values.length;
const squaresOf = (values: ArrayLike<number>): number => {
  const mean = meanOf(values);
  return Array.from(values).reduce((a, b) => a + (b - mean) ** 2, 0);
};
/** Pieces of one length, of neighbouring numbers. */
const cut = (values: Float64Array, length: number): Float64Array[] =>
  range(values.length / length).map((i) => values.subarray(i * length, (i + 1) * length));
const totalOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

interface Sizes {
  readonly images: number;
  readonly channels: number;
  readonly groupSize: number;
  readonly hw: number;
  readonly pieces: number;
}

/**
 * x off centre, gamma, beta and alpha of each image side by side after three other numbers, and what two sweeps make of
 * them on the way forward and back.
 */
function problem({ images, channels, groupSize, hw, pieces }: Sizes, act: NormActivation, plus: boolean) {
  const maps = images * channels;
  const x: Array64 = {
    shape: [images, channels, hw, 1],
    data: normal([maps, hw], 1).data.map((v, i) => 3 * v + 2 + 0.5 * (Math.floor(i / hw) % 5)),
  };
  const dy = normal(x.shape, 2);
  const pitch = 3 + 3 * channels;
  const row = normal([images * pitch], 4);
  const parameter = (at: number): Array64 =>
    array64(
      [images, channels],
      range(maps).map((m) => row.data[Math.floor(m / channels) * pitch + at + (m % channels)]!),
    );
  const [gamma, beta] = [parameter(3), parameter(3 + channels)];
  const alpha = plus ? parameter(3 + 2 * channels) : null;
  const attrs = { groups: channels / groupSize, eps: EPS, activation: act, slope: SLOPE, plus };

  const ofMaps = cut(x.data, hw);
  const statistics = ofMaps.flatMap((values, m) => {
    const group = x.data.subarray((m - (m % groupSize)) * hw, (m - (m % groupSize) + groupSize) * hw);
    const rstd = 1 / Math.sqrt(squaresOf(group) / group.length + EPS);
    if (!plus) return [meanOf(group), rstd, 0, 0];
    const image = m - (m % channels);
    const means = ofMaps.slice(image, image + channels).map(meanOf);
    const ustd = channels > 1 ? 1 / Math.sqrt(squaresOf(means) / (channels - 1) + EPS) : 0;
    return [meanOf(values), rstd, (meanOf(values) - meanOf(means)) * ustd, ustd];
  });
  const of = (m: number) => {
    const [center, rstd, u] = statistics.slice(4 * m, 4 * m + 3) as [number, number, number];
    return { center, rstd, u, gamma: gamma.data[m]!, beta: beta.data[m]!, alpha: alpha?.data[m] ?? 1 };
  };
  const told = cut(x.data, hw / pieces).map((values, r) => {
    const { center, rstd, u, gamma, beta, alpha } = of(Math.floor(r / pieces));
    const terms = Array.from(values, (v, i) => {
      const h = (v - center) * rstd;
      const z = gamma * (h + alpha * u) + beta;
      const d = act === "none" ? 1 : unaryGrad[act](z, { slope: SLOPE });
      const g = dy.data[r * values.length + i]! * d;
      return [g, g * h] as const;
    });
    const [s1, s2] = [totalOf(terms.map(([g]) => g)), totalOf(terms.map(([, gh]) => gh))];
    return [s1, s2, gamma * alpha * s1, plus ? u : gamma * s2];
  });
  const params = {
    ...{ maps, hw, channels, pitch, pieces, slope: SLOPE, eps: EPS },
    span: plus ? channels : groupSize,
    ...{ gammaAt: 3, betaAt: 3 + channels, alphaAt: 3 + 2 * channels },
    ...{ useGamma: 1, useBeta: 1, useAlpha: plus ? 1 : 0 },
  };
  return {
    x,
    dy,
    params,
    attrs,
    affine: [gamma, beta, alpha] as const,
    arrays: { gamma: row, beta: row, alpha: row },
    moments: array64(
      [maps * pieces, 2],
      cut(x.data, hw / pieces).flatMap((values) => [meanOf(values), squaresOf(values)]),
    ),
    statistics: array64([maps, 4], statistics),
    told: array64([maps * (pieces + 1), 4], [...told.flat(), ...statistics]),
  };
}

/** Maps that fill tiles, and not; spans that fill bands of maps, and not; one channel alone; maps of several pieces. */
const sizesOf = ({ lanes, each, rows, vec }: NormPiecesVariant): Sizes[] => {
  const full = (vec ? 4 : 1) * lanes * each;
  return [
    { images: 2, channels: 2 * rows, groupSize: 2 * rows, hw: full, pieces: 1 },
    { images: 3, channels: 6, groupSize: 3, hw: 2 * full + (vec ? 12 : 3), pieces: 1 },
    { images: 2, channels: 1, groupSize: 1, hw: 4, pieces: 1 },
    { images: 2, channels: 5, groupSize: 5, hw: 2 * full, pieces: 2 },
  ];
};
/** All of them for one activation, two for the others. */
const sizesFor = (v: NormPiecesVariant & { act: NormActivation }): Sizes[] =>
  sizesOf(v).slice(0, v.act === "silu" ? undefined : 2);
/** ++ is of each map alone. */
const ofKind = (sizes: Sizes, plus: boolean): Sizes => (plus ? { ...sizes, groupSize: 1 } : sizes);
const told = (sizes: Sizes) => JSON.stringify(sizes);

describe.runIf(engine.hardware.subgroups)("norms in two sweeps", () => {
  const count = ({ images, channels, pieces, hw }: Sizes, { vec }: NormPiecesVariant) => ({
    count: images * channels * pieces,
    size: hw / (vec ? 4 : 1) / pieces,
  });

  test.each(eachVariant(normPieces))("%s", async (_, v) => {
    for (const sizes of sizesOf(v)) {
      const { x, moments } = problem(sizes, "none", false);
      const got = await launched(normPieces, v, { x }, { moments: moments.shape }, count(sizes, v));
      expectNear(got["moments"]!, moments, { terms: sizes.hw, magnitude: "own" }, told(sizes));
    }
  });

  test.each(eachVariant(normSplit))("%s", async (_, v) => {
    for (const any of sizesFor(v)) {
      const sizes = ofKind(any, v.plus);
      const { x, arrays, moments, params, statistics, attrs, affine } = problem(sizes, v.act, v.plus);
      const outputs = { statistics: statistics.shape, y: x.shape };
      const got = await launched(normSplit, v, { x, moments, ...arrays }, outputs, params);
      const terms = sizes.groupSize * sizes.hw;
      expectNear(got["statistics"]!, statistics, { terms }, told(sizes));
      expectNear(got["y"]!, norm(x, attrs, ...affine), { magnitude: 10, terms }, told(sizes));
    }
  });

  test.each(eachVariant(normGradPieces))("%s", async (_, v) => {
    for (const plus of [false, true])
      for (const any of sizesFor(v)) {
        const sizes = ofKind(any, plus);
        const { x, dy, arrays, params, statistics, told: expected } = problem(sizes, v.act, plus);
        const all = { ...params, ...count(sizes, v), plus: plus ? 1 : 0 };
        const inputs = { x, dy, statistics, ...arrays };
        const got = await launched(normGradPieces, v, inputs, { told: expected.shape }, all);
        const tolerance = { terms: sizes.hw, magnitude: 10 * Math.sqrt(sizes.hw) };
        expectNear(got["told"]!, expected, tolerance, `${told(sizes)}, ++: ${plus}`);
      }
  });

  test.each(eachVariant(normGradSplit))("%s", async (_, v) => {
    for (const any of sizesFor(v)) {
      const sizes = ofKind(any, v.plus);
      const { images, channels, hw } = sizes;
      const { x, dy, arrays, params, told: given, attrs, affine } = problem(sizes, v.act, v.plus);
      const { dx, dgamma, dbeta, dalpha } = normGrad(x, dy, attrs, ...affine);
      const width = 3 * channels + 1; // beta first, a place left alone, then gamma and alpha
      const grads = range(images).flatMap((n) => {
        const own = (t: Array64 | null) =>
          t
            ? [...t.data.subarray(n * channels, (n + 1) * channels)]
            : Array<number>(channels).fill(Number.NaN);
        return [...own(dbeta), Number.NaN, ...own(dgamma), ...own(dalpha)];
      });
      const places = { width, dBetaAt: 0, dGammaAt: channels + 1, dAlphaAt: 2 * channels + 1 };
      const before = v.before ? normal(x.shape, 3) : undefined;
      const got = await launched(
        normGradSplit,
        v,
        { x, dy, told: given, ...arrays, ...(before && { before }) },
        { dx: x.shape, grads: [images, width] },
        { ...params, ...places },
      );
      const terms = sizes.groupSize * hw;
      expectNear(got["dx"]!, withResidual(dx, before), { magnitude: 10, terms }, told(sizes));
      const tolerance = { terms: hw, magnitude: 10 * Math.sqrt(hw) };
      expectNear(got["grads"]!, array64([images, width], grads), tolerance, told(sizes));
    }
  });

  test("more workgroups than a row of them holds, and one left over", async () => {
    const images = MAX_GROUPS + 2; // odd
    const sizes = { images, channels: 1, groupSize: 1, hw: 4, pieces: 1 };
    const v = { act: "none", plus: false, lanes: 4, each: 1, rows: 1, vec: true } as const;
    const { x, dy, arrays, moments, params, statistics, told, attrs, affine } = problem(sizes, v.act, v.plus);
    const outputs = { statistics: statistics.shape, y: x.shape };
    const got = await launched(normSplit, v, { x, moments, ...arrays }, outputs, params);
    expectNear(got["statistics"]!, statistics, { terms: 4 });
    expectNear(got["y"]!, norm(x, attrs, ...affine), { magnitude: 10, terms: 4 });
    const { dx } = normGrad(x, dy, attrs, ...affine);
    const gradients = { dx: x.shape, grads: [images, 2] };
    const places = { width: 2, dGammaAt: 0, dBetaAt: 1, dAlphaAt: 0 };
    const back = await launched(
      normGradSplit,
      { ...v, before: false },
      { x, dy, told, ...arrays },
      gradients,
      { ...params, ...places },
    );
    expectNear(back["dx"]!, dx, { magnitude: 10, terms: 4 });
  });

  test.each([
    ["a mean a thousand deviations off", (v: number) => 1000 + v],
    ["a piece that begins far from where it stays", (v: number, i: number) => (i % 4096 < 4 ? 0 : 1000 + v)],
    [
      "each thread's first numbers far from the rest",
      (v: number, i: number) => (i % 4096 < 1024 ? 0 : 1000 + v),
    ],
    ["one value throughout", () => 0.1],
  ])("%s costs the squares no digits", async (_, f) => {
    const x = map(normal([3, 4096], 7), (v, i) => Math.fround(f(v, i)));
    const v = { lanes: 64, each: 4, rows: 1, vec: true };
    const { moments } = await launched(normPieces, v, { x }, { moments: [3, 2] }, { count: 3, size: 1024 });
    for (const [m, values] of cut(x.data, 4096).entries()) {
      expect(Math.abs(moments![2 * m]! / meanOf(values) - 1)).toBeLessThan(2e-7);
      const squares = squaresOf(values);
      // Six joins one after the other, each with a division, which WGSL lets err by 2.5 units in the last place: an H200 comes to 2.1e-6.
      expect(Math.abs(moments![2 * m + 1]! - squares)).toBeLessThanOrEqual(3e-6 * squares + 1e-9);
    }
  });
});

test.each([
  [16, 1, { lanes: 4, each: 1, rows: 64, vec: true }],
  [49, 1, { lanes: 16, each: 4, rows: 16, vec: false }],
  [256, 1, { lanes: 16, each: 4, rows: 16, vec: true }],
  [784, 1, { lanes: 64, each: 4, rows: 4, vec: true }],
  [1024, 1, { lanes: 64, each: 4, rows: 4, vec: true }],
  [4096, 1, { lanes: 256, each: 4, rows: 1, vec: true }],
  [8192, 2, { lanes: 256, each: 4, rows: 1, vec: true }],
  [65536, 4, { lanes: 256, each: 4, rows: 1, vec: true }],
  [4 * 2049, 1, { lanes: 256, each: 4, rows: 1, vec: true }],
])("maps of %d are cut into %d, for workgroups of 256 threads", (columns, pieces, variant) => {
  expect(normCut(columns).pieces).toBe(pieces);
  expect(normPiecesVariant(normCut(columns), 4)).toEqual(variant);
});

test("a tile has no more rows than maps belong together", () =>
  expect(normPiecesVariant({ vec: true, size: 16 }, 4, 3)).toEqual({
    lanes: 4,
    each: 4,
    rows: 4,
    vec: true,
  }));
