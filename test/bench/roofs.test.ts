/** The arithmetic of the roofline, at numbers worked out by hand. */
import { describe, expect, test } from "vitest";
import { goodLine, goodShare } from "../../bench/profile.ts";
import { attainable, intensityOf, leastTime, ridge, shareOf } from "../../bench/roofs.ts";

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
  ])("work bound by %s, %j, takes %d ms at least", (limit, work, ms) => {
    expect(leastTime(roofs, work)).toEqual({ ms: expect.closeTo(ms, 9), limit });
    expect(shareOf(roofs, work, 4 * ms)).toBeCloseTo(0.25, 12);
  });

  test("a share is achieved GFLOP/s over min(compute roof, intensity x bandwidth)", () => {
    for (const [bytes, flops, ms] of [
      [3e6, 7e6, 0.9],
      [1e6, 9e9, 123],
      [5e8, 5e8, 77],
    ] as const) {
      const achieved = flops / ms / 1e6;
      expect(shareOf(roofs, { bytes, flops }, ms)).toBeCloseTo(
        achieved / attainable(roofs, flops / bytes),
        12,
      );
    }
  });

  test("work that declares nothing has no share", () => {
    expect(leastTime(roofs, { bytes: 0, flops: 0 })).toBeUndefined();
    expect(shareOf(roofs, { bytes: 0, flops: 0 }, 1)).toBeUndefined();
    expect(
      leastTime({ gigaflops: 1, gigabytesPerSecond: 1 }, { bytes: 1, flops: 1, dispatches: 1 }),
    ).toBeUndefined();
  });
});

test("a step's well spent time is that of kernels at 70 % of their roof or more", () => {
  const row = (kernel: string, share: number, ofRoofline?: number) => ({
    kernel,
    variant: "{}",
    calls: 1,
    ms: share,
    share,
    gigabytesPerSecond: 1,
    gigaflops: 1,
    ...(ofRoofline !== undefined && { ofRoofline }),
  });
  const rows = [row("a", 0.5, 0.69), row("b", 0.3, 0.7), row("c", 0.15, 0.9), row("d", 0.05)];
  const { share, short } = goodShare({ rows });
  expect(share).toBeCloseTo(0.45, 12);
  expect(short.map((r) => r.kernel)).toEqual(["a", "d"]);
  expect(goodLine({ rows })).toBe("45 % of the time is in kernels at 70 % or more of their roofline");
});
