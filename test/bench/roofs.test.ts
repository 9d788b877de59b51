/** The arithmetic of the roofline, at numbers worked out by hand. */
import { describe, expect, test } from "vitest";
import type { Case, Timing } from "../../bench/harness.ts";
import { describeProfile, goodLine, goodShare } from "../../bench/profile.ts";
import { Rates, rooflines } from "../../bench/rates.ts";
import { describeCase } from "../../bench/record.ts";
import { attainable, intensityOf, leastTime, ridge, shareOf, withoutDispatches } from "../../bench/roofs.ts";
import { spread } from "./records.ts";

// 100 GFLOP/s and 20 GB/s meet at 5 operations a byte.
const roofs = { gigaflops: 100, gigabytesPerSecond: 20, dispatchMicroseconds: 8 };

describe("the roofline", () => {
  test("meets where both limits allow the same", () => {
    expect(ridge(roofs)).toBe(5);
    expect(attainable(roofs, 5)).toBe(100);
    expect(attainable(roofs, 1)).toBe(20);
    expect(attainable(roofs, 50)).toBe(100);
  });

  test("intensity is operations over bytes, and none without either", () => {
    expect(intensityOf({ bytes: 12, flops: 3 })).toBe(0.25);
    expect(intensityOf({ bytes: 0, flops: 3 })).toBeUndefined();
    expect(intensityOf({ bytes: 12, flops: 0 })).toBeUndefined();
  });

  test.each([
    ["compute", { bytes: 1e6, flops: 1e9 }, 10], // 1 GFLOP at 100 a second
    ["memory", { bytes: 1e9, flops: 1e9 }, 50], // 1 GB at 20 a second, 1 GFLOP would take 10
    ["memory", { bytes: 1e9, flops: 0 }, 50],
    ["compute", { bytes: 0, flops: 1e9 }, 10],
    ["dispatch", { bytes: 12, flops: 1, dispatches: 1000 }, 8],
    ["dispatch", { bytes: 1e5, flops: 1e3 }, 0.008], // one launch; 100 kB at 20 GB a second are 5 us
    ["dispatch", { bytes: 0, flops: 0, dispatches: 1 }, 0.008],
    ["memory", { bytes: 1e9, flops: 0, dispatches: 1000 }, 50], // launches take 8
    ["compute", { bytes: 1e9, flops: 1e10, dispatches: 1000 }, 100],
  ])("work bound by %s, %j, takes %d ms at least", (limit, work, ms) => {
    expect(leastTime(roofs, work)).toEqual({ ms: expect.closeTo(ms, 9), limit });
    expect(shareOf(roofs, work, 4 * ms)).toBeCloseTo(0.25, 12);
  });

  test("without dispatches a share is achieved GFLOP/s over min(compute roof, intensity x bandwidth)", () => {
    for (const [bytes, flops, ms] of [
      [3e6, 7e6, 0.9],
      [1e6, 9e9, 123],
      [5e8, 5e8, 77],
      [1e3, 1e3, 0.02], // whose launch would take longer
    ] as const) {
      const achieved = flops / ms / 1e6;
      expect(shareOf(withoutDispatches(roofs), { bytes, flops }, ms)).toBeCloseTo(
        achieved / attainable(roofs, flops / bytes),
        12,
      );
    }
  });

  test("work that declares nothing has no share", () => {
    expect(leastTime(roofs, { bytes: 0, flops: 0 })).toBeUndefined();
    expect(shareOf(roofs, { bytes: 0, flops: 0 }, 1)).toBeUndefined();
  });

  test("launches that are counted have none where their cost is not known", () => {
    const work = { bytes: 1e6, flops: 0 };
    expect(leastTime(withoutDispatches(roofs), { ...work, dispatches: 1 })).toBeUndefined();
    expect(leastTime(withoutDispatches(roofs), work)).toEqual({ ms: 0.05, limit: "memory" });
  });
});

/** 100 GFLOP/s, 20 GB/s and 8 us by the wall clock, by the others two and four times the rates and 3 and 1 us at best. */
const timed = (
  c: Partial<Case> & Pick<Case, "name" | "bound">,
  wall: number,
  gpu: number,
  alone: number,
): Timing => ({
  case: { group: "any", shape: "any", bytes: 0, flops: 0, run: () => {}, ...c },
  rounds: 9,
  wall: spread(wall),
  gpu: spread(gpu),
  alone: spread(alone),
  by: c.bound === "dispatch" ? "median" : "alone",
});
const measured = [
  timed({ name: rooflines.compute, bound: "compute", flops: 1e9 }, 10, 5, 2.5),
  timed({ name: rooflines.memory, bound: "memory", bytes: 2e8 }, 10, 5, 2.5),
  timed({ name: rooflines.dispatch, bound: "dispatch", dispatches: 1000 }, 8, 3, 1.2), // spread's best is 0.2 below
];

describe("clocks are never mixed", () => {
  test("the roofs by a clock have what an empty dispatch takes by it", () => {
    const rates = new Rates(measured);
    expect(rates.roofs("median")).toEqual({
      gigaflops: 100,
      gigabytesPerSecond: 20,
      dispatchMicroseconds: 8,
    });
    expect(rates.roofs("gpu")).toEqual({ gigaflops: 200, gigabytesPerSecond: 40, dispatchMicroseconds: 3 });
    expect(rates.roofs("alone")).toEqual({ gigaflops: 400, gigabytesPerSecond: 80, dispatchMicroseconds: 1 });
  });

  test("a clock that did not time the empty ones bounds nothing by launches", () => {
    const rates = new Rates(
      measured.map((t) => (t.case.bound === "dispatch" ? { ...t, gpu: undefined } : t)),
    );
    expect(rates.roofs("gpu")).toEqual({ gigaflops: 200, gigabytesPerSecond: 40 });
  });

  test("a small case is held by one launch, of the clock its share is by", () => {
    const small = timed({ name: "small", bound: "memory", bytes: 8e3, flops: 1 }, 20, 10, 0.004);
    const { by, limit, ofRoofline } = describeCase(small, new Rates(measured));
    expect({ by, limit }).toEqual({ by: "alone", limit: "dispatch" });
    expect(ofRoofline).toBeCloseTo(0.001 / 0.004, 12);
  });

  test("tiny ops go by the wall clock, the host's part included", () => {
    const ops = timed({ name: "tiny", bound: "dispatch", dispatches: 500, bytes: 6e3, flops: 500 }, 16, 1, 1);
    const { by, limit, ofRoofline } = describeCase(ops, new Rates(measured));
    expect({ by, limit }).toEqual({ by: "median", limit: "dispatch" });
    expect(ofRoofline).toBeCloseTo(4 / 16, 12);
  });
});

describe("a profile", () => {
  const row = (kernel: string, calls: number, ms: number, gigabytesPerSecond: number, gigaflops: number) => ({
    kernel,
    variant: "{}",
    calls,
    ms,
    share: ms / 10,
    gigabytesPerSecond,
    gigaflops,
  });
  const step = {
    clock: "timestamps",
    ms: 10,
    dispatches: 310,
    rows: [
      row("products", 2, 4.6, 1, 40),
      row("copies", 10, 3, 14.5, 1), // 72.5 % of the bandwidth
      row("sums", 200, 2, 0.1, 0.1), // 1.6 ms of launches
      row("lazy", 10, 0.4, 0.1, 0.1), // 0.08 ms of launches
      row("unseen", 1, 0, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY),
    ],
  } as const;
  const { rows } = describeProfile("step", step, roofs);
  const told = Object.fromEntries(rows.map((r) => [r.kernel, [r.limit, r.ofRoofline, r.ofWork]]));

  test("holds each kernel against operations, bytes and its launches", () => {
    expect(told).toEqual({
      products: ["compute", expect.closeTo(0.4, 12), expect.closeTo(0.4, 12)],
      copies: ["memory", expect.closeTo(0.725, 12), expect.closeTo(0.725, 12)],
      sums: ["dispatch", expect.closeTo(0.8, 12), expect.closeTo(0.005, 12)],
      lazy: ["dispatch", expect.closeTo(0.2, 12), expect.closeTo(0.005, 12)],
      unseen: [undefined, undefined, undefined],
    });
  });

  test("tells what is well spent by the work alone, and with launches", () => {
    const { work, withLaunches, launched, short } = goodShare({ rows });
    expect(work).toBeCloseTo(0.3, 12);
    expect(withLaunches).toBeCloseTo(0.5, 12);
    expect(launched.map((r) => r.kernel)).toEqual(["sums"]);
    expect(short.map((r) => r.kernel)).toEqual(["products", "lazy", "unseen"]);
    expect(goodLine({ rows })).toBe(
      "30 % of the time is in kernels at 70 % or more of their compute or memory roof, " +
        "50 % with those at as much of what launching them takes",
    );
  });

  test("has no launches among its roofs where their cost is not known by its clock", () => {
    const [, copies, sums] = describeProfile("step", step, withoutDispatches(roofs)).rows;
    expect(copies).toMatchObject({ ofWork: expect.closeTo(0.725, 12) });
    expect(sums).not.toHaveProperty("limit");
    expect(sums).not.toHaveProperty("ofRoofline");
    expect(describeProfile("step", step, undefined).rows[0]).not.toHaveProperty("ofWork");
  });
});

test("from 70 % on a kernel counts as good", () => {
  const row = (kernel: string, share: number, ofWork?: number) => ({
    kernel,
    variant: "{}",
    calls: 1,
    ms: share,
    share,
    gigabytesPerSecond: 1,
    gigaflops: 1,
    ...(ofWork !== undefined && { ofWork, ofRoofline: ofWork }),
  });
  const rows = [row("a", 0.5, 0.69), row("b", 0.3, 0.7), row("c", 0.15, 0.9), row("d", 0.05)];
  const { work, short } = goodShare({ rows });
  expect(work).toBeCloseTo(0.45, 12);
  expect(short.map((r) => r.kernel)).toEqual(["a", "d"]);
});
