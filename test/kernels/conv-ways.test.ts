import { describe, expect, test } from "vitest";
import { wayName } from "../../engine/choices.ts";
import { type ConvProblem, convWay, convWays } from "../../kernels/conv-ways.ts";
import { convWeightWay, convWeightWays, type WeightProblem } from "../../kernels/conv-weight-ways.ts";
import type { Hardware } from "../../kernels/kernel.ts";
import { winogradBytes } from "../../kernels/winograd-choice.ts";
import { engine } from "../support/engine.ts";

describe("whether by Winograd's tiles", () => {
  const problem = (
    change: Partial<ConvProblem> & { dilation?: readonly [number, number] } = {},
  ): ConvProblem => ({
    n: 1,
    ci: 64,
    co: 64,
    oh: 32,
    ow: 32,
    kernel: [3, 3],
    stuffing: [1, 1],
    attrs: { stride: [1, 1], dilation: change.dilation ?? [1, 1] },
    flip: false,
    half: false,
    ...change,
  });
  const sums = (change: Partial<WeightProblem> = {}): WeightProblem => ({
    ...{ n: 8, ci: 64, co: 64, kh: 3, kw: 3 },
    ...{ size: [32, 32], stride: [1, 1], dilation: [1, 1] },
    ...change,
  });
  const cpu = { ...engine.hardware, kind: "cpu", maxBinding: 2 ** 27 } as const;
  const gpu = { ...cpu, kind: "gpu" } as const;
  const nameOf = (way: { kernel: string; tile?: number }) => `${way.kernel}${way.tile ?? ""}`;
  const usual = (p: ConvProblem, hw: typeof cpu | typeof gpu = cpu) => nameOf(convWay(hw, p));
  const usualSums = (p: WeightProblem, hw: typeof cpu | typeof gpu = cpu) => nameOf(convWeightWay(hw, p));

  test("on a CPU driver tiles of 4x4, for 3x3 of stride 1 with channels enough", () => {
    expect(usual(problem())).toBe("winograd4");
    expect(usual(problem({ dilation: [4, 4] }))).toBe("winograd4");
    expect(usual(problem({ oh: 8, ow: 8, ci: 256, co: 256 }))).toBe("winograd4");
    expect(usual(problem({ ci: 3 }))).toBe("rows");
    expect(usual(problem({ co: 1 }))).toBe("rows");
    expect(usual(problem({ kernel: [1, 1] }))).toBe("rows");
    expect(usual(problem({ stuffing: [2, 2] }))).toBe("rows");
    expect(usual(problem({ oh: 2, ow: 2 }))).toBe("rows");
  });

  test("on a GPU the tiles with the fewest products", () => {
    expect(usual(problem(), gpu)).toBe("winograd4");
    expect(usualSums(sums(), gpu)).toBe("winograd4");
    for (const [side, way] of [
      [2, "gemm"],
      [3, "winograd4"],
      [4, "winograd4"],
    ] as const) {
      expect(usual(problem({ oh: side, ow: side }), gpu)).toBe(way);
      expect(usualSums(sums({ size: [side, side] }), gpu)).toBe(way);
    }
    expect(usual(problem({ ci: 1024, co: 1024 }), gpu)).toBe("winograd2");
    expect(usual(problem({ ci: 32, co: 32 }), gpu)).toBe("gemm");
  });

  test("what cannot be bound goes another way", () => {
    const large = problem({ oh: 512, ow: 512, co: 128 });
    expect(winogradBytes(2, large)).toBeGreaterThan(2 ** 27);
    expect(winogradBytes(4, large)).toBeGreaterThan(2 ** 27);
    expect(usual(large)).toBe("rows");
    const between = problem({ oh: 512, ow: 512, co: 48, ci: 48 });
    expect(winogradBytes(2, between)).toBeGreaterThan(2 ** 27);
    expect(winogradBytes(4, between)).toBeLessThan(2 ** 27);
    expect(usual(between)).toBe("winograd4");
    // Transformed weights: 36 numbers each for tiles of 4x4, 16 for 2x2.
    expect(usual(problem({ ci: 960, co: 960 }))).toBe("winograd4");
    expect(usual(problem({ ci: 1024, co: 1024 }))).toBe("winograd2");
    expect(usual(problem({ ci: 1408, co: 1408 }))).toBe("winograd2");
    expect(usual(problem({ ci: 1536, co: 1536 }))).toBe("rows");
    expect(usualSums(sums({ ci: 1024, co: 1024 }))).toBe("winograd2");
    expect(usualSums(sums({ ci: 1536, co: 1536 }))).toBe("rows");
  });

  test("sums over few positions are direct: each of many sums is transformed back", () => {
    expect(usualSums(sums())).toBe("winograd4");
    expect(usualSums(sums({ n: 1, ci: 256, co: 256 }))).toMatch(/winograd/);
    expect(usualSums(sums({ n: 1, ci: 256, co: 256, size: [4, 4] }))).toBe("rows");
    expect(usualSums(sums({ stride: [2, 2] }))).toBe("rows");
    expect(usualSums(sums({ ci: 3 }))).toBe("rows");
  });

  test("the images do not decide a convolution's", () => {
    for (const size of [4, 7, 8, 14, 32])
      for (const channels of [16, 32, 64, 256]) {
        const p = problem({ ci: channels, co: channels, oh: size, ow: size });
        expect(usual({ ...p, n: 64 })).toBe(usual(p));
      }
  });

  test("by rows, large work takes tiles of 16 channels where weights are broadcast", () => {
    const strided = problem({ attrs: { stride: [2, 2], dilation: [1, 1] } });
    const eight = { ...cpu, subgroups: true, subgroupSize: 8 } as const;
    const rowsOf = (p: ConvProblem, hw: Hardware) => convWay(hw, p) as { kernel: string; rows: number };
    expect(rowsOf({ ...strided, n: 8 }, eight)).toMatchObject({ kernel: "rows", rows: 16 });
    expect(rowsOf({ ...strided, oh: 16, ow: 16 }, eight)).toMatchObject({ kernel: "rows", rows: 8 });
    expect(rowsOf({ ...problem({ ci: 1 }), n: 128 }, eight)).toMatchObject({ kernel: "rows", rows: 16 });
    expect(rowsOf(problem({ ci: 1 }), eight)).toMatchObject({ kernel: "rows", rows: 4 });
    expect(rowsOf({ ...strided, n: 8, co: 24 }, eight)).toMatchObject({ kernel: "rows", rows: 8 });
    expect(rowsOf({ ...strided, n: 8 }, { ...cpu, subgroups: false })).toMatchObject({ rows: 8 });
  });

  test("the usual one is among those worth measuring, all of which have names of their own", () => {
    const problems = [problem(), problem({ ci: 3 }), problem({ oh: 3, ow: 3 }), problem({ co: 1, ow: 4 })];
    for (const hw of [cpu, gpu]) {
      for (const p of problems) expect(convWays(hw, p)).toContainEqual(convWay(hw, p));
      for (const p of [sums(), sums({ n: 1, size: [4, 4] })])
        expect(convWeightWays(hw, p)).toContainEqual(convWeightWay(hw, p));
      for (const ways of [convWays(hw, problem()), convWeightWays(hw, sums())]) {
        expect(new Set(ways.map((way) => wayName(way))).size).toBe(ways.length);
        expect(ways.filter(({ kernel }) => kernel === "winograd")).toEqual([
          { kernel: "winograd", tile: 2 },
          { kernel: "winograd", tile: 4 },
        ]);
      }
    }
  });
});
