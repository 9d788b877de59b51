import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import type { Padding, Pair } from "../../engine/ops/conv-shapes.ts";
import { mul, sum } from "../../engine/ops/index.ts";
import { avgPool2d, maxPool2d } from "../../engine/ops/pool.ts";
import { array64 } from "../../engine/oracle/array.ts";
import * as oracle from "../../engine/oracle/pool.ts";
import { checkOp, upload } from "../support/check-op.ts";
import { distinct, normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";
import { check, seed } from "../support/property.ts";

const int = (min: number, max: number) => fc.integer({ min, max });

/** Padding stays below the kernel. */
const windows = fc
  .record({
    shape: fc.tuple(int(1, 3), int(1, 3), int(1, 9), int(1, 9)),
    kernel: fc.tuple(int(1, 5), int(1, 5)),
    stride: fc.tuple(int(1, 4), int(1, 4)),
    pads: fc.tuple(int(0, 4), int(0, 4), int(0, 4), int(0, 4)),
    seed,
  })
  .map(({ shape, kernel, stride, pads: [t, b, l, r], seed }) => {
    const padding: Padding = [t % kernel[0], b % kernel[0], l % kernel[1], r % kernel[1]];
    return { shape, attrs: { kernel: kernel as Pair, stride: stride as Pair, padding }, seed };
  })
  .filter(
    ({
      shape,
      attrs: {
        kernel,
        padding: [t, b, l, r],
      },
    }) => shape[2] + t + b >= kernel[0] && shape[3] + l + r >= kernel[1],
  );

test.each([true, false])(
  "avgPool2d with countIncludePad %s: value, first and second derivative",
  (countIncludePad) =>
    check(
      windows,
      async ({ shape, attrs, seed }) => {
        const full = { ...attrs, countIncludePad };
        await checkOp({
          op: (x) => avgPool2d(x, full),
          oracle: (x) => oracle.avgPool2d(x, full),
          inputs: [normal(shape, seed)],
          seed,
          terms: attrs.kernel[0] * attrs.kernel[1],
        });
      },
      15,
    ),
);

test("maxPool2d: value, first and second derivative", () =>
  check(
    windows,
    async ({ shape, attrs, seed }) => {
      await checkOp({
        op: (x) => maxPool2d(x, attrs),
        oracle: (x) => oracle.maxPool2d(x, attrs).y,
        inputs: [distinct(shape, seed)],
        seed,
        terms: 25,
      });
    },
    15,
  ));

test("maxPool2d: a third derivative, over windows that share their winners", async () => {
  const x = distinct([1, 2, 4, 5], 3);
  const attrs = { kernel: [3, 2], stride: [1, 1], padding: [1, 0, 0, 1] } as const;
  const { index } = oracle.maxPool2d(x, attrs);
  const wins = new Float64Array(x.data.length);
  for (const [i, at] of index.data.entries()) wins[Math.floor(i / (index.data.length / 2)) * 20 + at]!++;
  const t = engine.asVariable(upload(x));
  const third = engine.scope(() => {
    const y = maxPool2d(t, attrs);
    let f = sum(mul(y, mul(y, y)));
    // Euler: x . grad f is 3 f for a cubic, so twice that is 9 f, whose gradient is 27 k x^2 where x wins k windows.
    for (let i = 0; i < 2; i++) f = sum(mul(grad(f, [t], { createGraph: true })[0]!, t));
    return grad(f, [t])[0]!;
  });
  expectNear(await third.data(), { shape: x.shape, data: wins.map((k, i) => 27 * k * x.data[i]! ** 2) });
  for (const tensor of [t, third]) tensor.dispose();
});

test("the stride is the kernel's size unless given", async () => {
  const x = normal([1, 2, 6, 7], 1);
  const attrs = { kernel: [2, 3], stride: [2, 3], padding: [0, 0, 0, 0], countIncludePad: true } as const;
  const [average, largest] = [
    avgPool2d(upload(x), { kernel: [2, 3] }),
    maxPool2d(upload(x), { kernel: [2, 3] }),
  ];
  expectNear(await average.data(), oracle.avgPool2d(x, attrs));
  expectNear(await largest.data(), oracle.maxPool2d(x, attrs).y);
  for (const t of [average, largest]) t.dispose();
});

test("among equal maxima the first in reading order takes the gradient", async () => {
  const x = engine.variable([1, 1, 1, 1], [1, 1, 2, 2]);
  const [dx] = engine.scope(() => grad(maxPool2d(x, { kernel: 2 }), [x]));
  expect([...(await dx!.data())]).toEqual([1, 0, 0, 0]);
  for (const t of [x, dx!]) t.dispose();
});

test("below zero, padding never wins", async () => {
  const x = array64([1, 1, 2, 2], [-3, -4, -5, -6]);
  const y = maxPool2d(upload(x), { kernel: 3, stride: 1, padding: 1 });
  expect([...(await y.data())]).toEqual([-3, -3, -3, -3]);
  y.dispose();
});

test("NaN passes through both, wherever it stands in the window", async () => {
  for (let at = 0; at < 4; at++) {
    const x = engine.tensor(
      [0, 1, 2, 3].map((v) => (v === at ? Number.NaN : v)),
      [1, 1, 2, 2],
    );
    for (const y of [maxPool2d(x, { kernel: 2 }), avgPool2d(x, { kernel: 2 })]) {
      expect(await y.item(), `NaN at ${at}`).toBeNaN();
      y.dispose();
    }
    x.dispose();
  }
});

describe("messages", () => {
  const x = engine.ones([1, 2, 4, 4]);

  test("dtype and rank", () => {
    expect(() =>
      avgPool2d(engine.ones([1, 2, 4, 4], "u32"), { kernel: 2 }),
    ).toThrowErrorMatchingInlineSnapshot(`[UsageError: avgPool2d: got dtype u32, expected f32]`);
    expect(() => maxPool2d(engine.ones([2, 4, 4]), { kernel: 2 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: maxPool2d: got x [2,4,4], expected [n,c,h,w]]`,
    );
  });
  test("whole numbers", () => {
    expect(() => avgPool2d(x, { kernel: 1.5 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: avgPool2d: got kernel [1.5,1.5], expected [y,x] of whole numbers from 1]`,
    );
    expect(() => maxPool2d(x, { kernel: 2, stride: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: maxPool2d: got stride [0,0], expected [y,x] of whole numbers from 1]`,
    );
    expect(() => maxPool2d(x, { kernel: 2, padding: -1 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: maxPool2d: got padding [-1,-1,-1,-1], expected whole numbers from 0]`,
    );
  });
  test("a list of another length", () => {
    const three = [1, 1, 1] as unknown as [number, number];
    expect(() => avgPool2d(x, { kernel: three })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: avgPool2d: got kernel [1,1,1], expected [y,x] of whole numbers from 1]`,
    );
    expect(() => maxPool2d(x, { kernel: 2, stride: three })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: maxPool2d: got stride [1,1,1], expected [y,x] of whole numbers from 1]`,
    );
    expect(() => maxPool2d(x, { kernel: 2, padding: three })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: maxPool2d: got padding [1,1,1], expected a number, [y,x] or [top,bottom,left,right]]`,
    );
  });
  test("padding below the kernel", () => {
    expect(() => maxPool2d(x, { kernel: 2, padding: 2 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: maxPool2d: got padding [2,2,2,2], expected less than the kernel [2,2]]`,
    );
  });
  test("a kernel that does not fit", () => {
    expect(() => avgPool2d(x, { kernel: [5, 2] })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: avgPool2d: got x [1,2,4,4], smaller than the kernel [5,2]; pad more or use a larger image]`,
    );
  });
});
