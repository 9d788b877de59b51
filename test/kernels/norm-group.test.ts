/** Norms by a workgroup for each group, against float64: full and partly filled workgroups, surplus groups, odd places. */
import { describe, expect, test } from "vitest";
import { type Array64, array64, withResidual } from "../../engine/oracle/array.ts";
import { applyUnary } from "../../engine/oracle/unary.ts";
import type { HostData } from "../../engine/tensor.ts";
import { range } from "../../kernels/kernel.ts";
import type { BeforeVariant, NormActivation } from "../../kernels/norm.ts";
import { groupNorm, groupNormGrad, groupNormVariant } from "../../kernels/norm-group.ts";
import {
  type NormLanesVariant,
  normLanes,
  normLanesGrad,
  normLanesGradVariants,
  normLanesThreads,
  normLanesVariants,
  usualLanes,
} from "../../kernels/norm-lanes.ts";
import { unaryGrad } from "../oracle/gradients.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { eachVariant, launched } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

const SLOPE = 0.2;
const EPS = 1e-2;
const value = (act: NormActivation, z: number): number =>
  act === "none" ? z : applyUnary(act, array64([1], [z]), { slope: SLOPE }).data[0]!;
const slope = (act: NormActivation, z: number): number =>
  act === "none" ? 1 : unaryGrad[act](z, { slope: SLOPE });

interface Sizes {
  readonly images: number;
  readonly channels: number;
  readonly groupSize: number;
  readonly hw: number;
}

/** x off centre, parameters of each image side by side after three other numbers, and all that the norm makes of them. */
function problem({ images, channels, groupSize, hw }: Sizes, act: NormActivation) {
  const maps = images * channels;
  const x: Array64 = { shape: [maps, hw], data: normal([maps, hw], 1).data.map((v) => 3 * v + 2) };
  const pitch = 3 + 2 * channels;
  const row = normal([images * pitch], 4);
  const of = (m: number, at: number) => row.data[Math.floor(m / channels) * pitch + at + (m % channels)]!;
  const [gamma, beta] = [(m: number) => of(m, 3), (m: number) => of(m, 3 + channels)];
  const groups = range(maps / groupSize).map((set) => {
    const values = x.data.subarray(set * groupSize * hw, (set + 1) * groupSize * hw);
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
    return { mean, rstd: 1 / Math.sqrt(variance + EPS) };
  });
  const ofGroup = (m: number) => groups[Math.floor(m / groupSize)]!;
  const h = (m: number, i: number) => (x.data[m * hw + i]! - ofGroup(m).mean) * ofGroup(m).rstd;
  const z = (m: number, i: number) => gamma(m) * h(m, i) + beta(m);
  const each = (f: (m: number, i: number) => number): Array64 => ({
    shape: x.shape,
    data: x.data.map((_, k) => f(Math.floor(k / hw), k % hw)),
  });
  const statistics = array64(
    [maps, 4],
    range(maps).flatMap((m) => [ofGroup(m).mean, ofGroup(m).rstd, 0, 0]),
  );
  const params = {
    ...{ maps, hw, channels, groupSize, pitch, slope: SLOPE, eps: EPS },
    ...{ gammaAt: 3, betaAt: 3 + channels, alphaAt: 0, useGamma: 1, useBeta: 1, useAlpha: 0 },
  };
  const y = each((m, i) => value(act, z(m, i)));
  return {
    x,
    arrays: { gamma: row, beta: row, alpha: row },
    statistics,
    params,
    y,
    each,
    h,
    z,
    gamma,
    ofGroup,
  };
}

/** Sizes that fill three quarters of a variant's places, one that fills next to none, and maps of odd length in fours. */
const sizesFor = ({ threads, each }: { threads: number; each: number }): Sizes[] => [
  { images: 2, channels: 6, groupSize: 3, hw: threads * each },
  { images: 3, channels: 2, groupSize: 1, hw: 4 },
  { images: 1, channels: 5, groupSize: 5, hw: 32 },
];

const known = <V extends { by: string }>([, v]: readonly [string, V]) =>
  v.by !== "subgroup" || engine.hardware.subgroups;

test.each(eachVariant(groupNorm).filter(known))("%s", async (_, v) => {
  for (const sizes of [...sizesFor(v), { images: 2, channels: 4, groupSize: 2, hw: 20 }]) {
    const { x, arrays, params, statistics, y } = problem(sizes, v.act);
    const got = await launched(
      groupNorm,
      v,
      { x, ...arrays },
      { statistics: statistics.shape, y: x.shape },
      params,
    );
    const terms = sizes.groupSize * sizes.hw;
    expectNear(got["statistics"]!, statistics, { terms }, JSON.stringify(sizes));
    expectNear(got["y"]!, y, { magnitude: 10, terms }, JSON.stringify(sizes));
  }
});

/** dy for a problem, and the gradients that follow: those of the parameters beside a place left alone. */
function gradients(sizes: Sizes, act: NormActivation) {
  const { channels, groupSize, hw, images } = sizes;
  const { x, arrays, params, statistics, each, h, z, gamma, ofGroup } = problem(sizes, act);
  const [dy, before] = [normal(x.shape, 2), normal(x.shape, 3)];
  const g = each((m, i) => dy.data[m * hw + i]! * slope(act, z(m, i)));
  const sumOf = (f: (i: number) => number) => range(hw).reduce((sum, i) => sum + f(i), 0);
  const maps = range(images * channels);
  const s1 = maps.map((m) => sumOf((i) => g.data[m * hw + i]!));
  const s2 = maps.map((m) => sumOf((i) => g.data[m * hw + i]! * h(m, i)));
  const ofAll = (m: number, sums: number[]) => {
    const first = m - (m % groupSize);
    const total = range(groupSize).reduce((sum, c) => sum + gamma(first + c) * sums[first + c]!, 0);
    return total / (groupSize * hw);
  };
  const [a, b] = [maps.map((m) => ofAll(m, s1)), maps.map((m) => ofAll(m, s2))];
  const dx = each((m, i) => ofGroup(m).rstd * (gamma(m) * g.data[m * hw + i]! - a[m]! - b[m]! * h(m, i)));
  const width = 2 * channels + 1; // beta first, a place left alone, then gamma
  const grads = range(images).flatMap((n) => {
    const own = range(channels).map((c) => n * channels + c);
    return [...own.map((m) => s1[m]!), Number.NaN, ...own.map((m) => s2[m]!)];
  });
  return {
    inputs: { x, dy, statistics, ...arrays },
    before,
    params: { ...params, width, dGammaAt: channels + 1, dBetaAt: 0 },
    dx,
    grads: array64([images, width], grads),
  };
}

function expectGradients(
  got: Record<string, HostData>,
  sizes: Sizes,
  v: { act: NormActivation } & BeforeVariant,
): void {
  const { groupSize, hw } = sizes;
  const { dx, grads, before } = gradients(sizes, v.act);
  const told = JSON.stringify(sizes);
  expectNear(
    got["dx"]!,
    withResidual(dx, v.before ? before : undefined),
    { magnitude: 10, terms: groupSize * hw },
    told,
  );
  expectNear(got["grads"]!, grads, { terms: hw, magnitude: 10 * Math.sqrt(hw) }, told);
}

test.each(eachVariant(groupNormGrad))("%s", async (_, v) => {
  for (const sizes of sizesFor(v)) {
    const { inputs, before, params, dx, grads } = gradients(sizes, v.act);
    const outputs = { dx: dx.shape, grads: grads.shape };
    const all = { ...inputs, ...(v.before && { before }) };
    expectGradients(await launched(groupNormGrad, v, all, outputs, params), sizes, v);
  }
});

describe.runIf(engine.hardware.subgroups)("by lanes for each map", () => {
  /** One group too many or too few for the last workgroup, and a single group. */
  const sizesOf = ({ lanes, each, maps, groups }: NormLanesVariant): Sizes[] => {
    const shape = { groupSize: maps, hw: 4 * lanes * each };
    return [
      { ...shape, images: groups + 1, channels: maps },
      { ...shape, images: 1, channels: 3 * maps },
      { ...shape, images: 1, channels: maps },
    ];
  };

  test.each(eachVariant(normLanes))("%s", async (_, v) => {
    for (const sizes of sizesOf(v)) {
      const { x, arrays, params, statistics, y } = problem(sizes, v.act);
      const shapes = { statistics: statistics.shape, y: x.shape };
      const got = await launched(normLanes, v, { x, ...arrays }, shapes, params);
      const terms = sizes.groupSize * sizes.hw;
      expectNear(got["statistics"]!, statistics, { terms }, JSON.stringify(sizes));
      expectNear(got["y"]!, y, { magnitude: 10, terms }, JSON.stringify(sizes));
    }
  });

  test.each(eachVariant(normLanesGrad))("%s", async (_, v) => {
    for (const sizes of sizesOf(v)) {
      const { inputs, before, params, dx, grads } = gradients(sizes, v.act);
      const outputs = { dx: dx.shape, grads: grads.shape };
      const all = { ...inputs, ...(v.before && { before }) };
      expectGradients(await launched(normLanesGrad, v, all, outputs, params), sizes, v);
    }
  });

  test.each([4, 1])(
    "a mean a thousand deviations off costs no digits where a thread keeps %d",
    async (kept) => {
      const v = { act: "none", lanes: 32, each: 4, maps: 2, groups: 1, kept } as const;
      const sizes = { images: 2, channels: 4, groupSize: 2, hw: 512 };
      const { arrays, params } = problem(sizes, "none");
      const values = normal([8, 512], 7).data.map((n) => Math.fround(1000 + n));
      const ofGroup = range(4).map((set) => {
        const own = values.subarray(1024 * set, 1024 * (set + 1));
        const mean = own.reduce((a, b) => a + b, 0) / own.length;
        const variance = own.reduce((a, b) => a + (b - mean) ** 2, 0) / own.length;
        return [mean, 1 / Math.sqrt(variance + EPS), 0, 0];
      });
      const x: Array64 = { shape: [8, 512], data: values };
      const shapes = { statistics: [8, 4], y: x.shape };
      const got = await launched(normLanes, v, { x, ...arrays }, shapes, params);
      const scale = got["statistics"]!.filter((_, i) => i % 4 === 1);
      for (const [map, rstd] of [...scale].entries())
        expect(Math.abs(rstd / ofGroup[map >> 1]![1]! - 1)).toBeLessThan(1e-5);
    },
  );
});

describe("ways to deal maps out to lanes", () => {
  const hw = { ...engine.hardware, kind: "gpu", subgroups: true, maxWorkgroupSize: 1024 } as const;

  test.each([
    [4, 1024],
    [8, 1024],
    [12, 1024],
    [32, 1024],
    [16, 64],
    [16, 16],
    [1, 256],
    [4, 4096],
  ])("groups of %d maps of %d are filled", (maps, columns) => {
    const ways = normLanesVariants(hw, maps, columns);
    expect(ways.length).toBeGreaterThan(0);
    for (const v of [...ways, ...normLanesGradVariants(hw, maps, columns)]) {
      expect(4 * v.lanes * v.each).toBe(columns);
      expect(v.maps).toBe(maps);
      expect(normLanesThreads(v)).toBeLessThanOrEqual(1024);
    }
    expect(new Set(ways.map((v) => JSON.stringify(v))).size).toBe(ways.length);
  });

  test.each([
    ["maps that are no multiple of 4", hw, 4, 1022],
    ["maps that no power of two shares out", hw, 4, 4 * 49],
    ["groups too large", hw, 16, 65536],
    ["an adapter without subgroups", { ...hw, subgroups: false }, 4, 1024],
    ["a CPU driver", { ...hw, kind: "cpu" }, 4, 1024],
  ] as const)("there are none for %s", (_, hardware, maps, columns) =>
    expect(normLanesVariants(hardware, maps, columns)).toEqual([]),
  );
});

describe("the variant for a group", () => {
  const hw = { ...engine.hardware, subgroups: true, maxWorkgroupSize: 256 };

  test.each([
    [4, 64, 1],
    [256, 64, 1],
    [260, 256, 1],
    [4096, 256, 4],
    [5000, 256, 8],
    [16384, 256, 16],
  ])("of %d numbers holds it: %d threads with %d vec4s each", (size, threads, each) => {
    expect(groupNormVariant(hw, size)).toEqual({ by: "subgroup", threads, each });
    expect(4 * threads * each).toBeGreaterThanOrEqual(size);
  });

  test("there is none beyond 16,384", () => expect(groupNormVariant(hw, 16388)).toBeUndefined());
});

test("the usual lanes are those that an H100 ran fastest, or within 3 % of it", () => {
  const hw = { ...engine.hardware, kind: "gpu", subgroups: true, maxWorkgroupSize: 1024 } as const;
  const usual = (maps: number, columns: number) => usualLanes(normLanesVariants(hw, maps, columns));
  expect(usual(4, 1024)).toEqual({ lanes: 32, each: 8, maps: 4, groups: 1, kept: 8 });
  expect(usual(12, 1024)).toEqual({ lanes: 16, each: 16, maps: 12, groups: 1, kept: 16 });
  expect(usual(8, 256)).toEqual({ lanes: 8, each: 8, maps: 8, groups: 2, kept: 8 });
  expect(usual(1, 1024)).toEqual({ lanes: 32, each: 8, maps: 1, groups: 4, kept: 8 });
  expect(usual(8, 64)).toEqual({ lanes: 4, each: 4, maps: 8, groups: 4, kept: 4 });
  const back = (maps: number, columns: number) => usualLanes(normLanesGradVariants(hw, maps, columns));
  expect(back(8, 1024)).toEqual({ lanes: 32, each: 8, maps: 8, groups: 1, keep: "both" });
  expect(back(8, 256)).toEqual({ lanes: 16, each: 4, maps: 8, groups: 1, keep: "both" });
  expect(usual(1, 49)).toBeUndefined();
});

test("groups of which x and dy do not fit a workgroup keep slopes alone", () => {
  const hw = { ...engine.hardware, kind: "gpu", subgroups: true, maxWorkgroupSize: 1024 } as const;
  const ways = normLanesGradVariants(hw, 32, 1024);
  expect(usualLanes(ways)).toEqual({ lanes: 16, each: 16, maps: 32, groups: 1, keep: "slopes" });
  expect(new Set(ways.map(({ keep }) => keep))).toEqual(new Set(["slopes", "none"]));
});

test("what crowds a core may keep a share of its numbers", () => {
  const hw = { ...engine.hardware, kind: "gpu", subgroups: true, maxWorkgroupSize: 1024 } as const;
  const kept = (maps: number, columns: number) =>
    new Set(normLanesVariants(hw, maps, columns).map(({ each, kept }) => kept / each));
  expect(kept(32, 1024)).toEqual(new Set([1, 1 / 2, 1 / 4]));
  expect(kept(4, 1024)).toEqual(new Set([1]));
});
