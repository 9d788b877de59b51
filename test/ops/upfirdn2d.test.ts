import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { upfirdn2d } from "../../engine/ops/upfirdn2d.ts";
import { map } from "../../engine/oracle/array.ts";
import * as oracle from "../../engine/oracle/upfirdn2d.ts";
import { checkOp, upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";
import { check, seed } from "../support/property.ts";

const int = (min: number, max: number) => fc.integer({ min, max });
const problems = fc
  .record({
    shape: fc.tuple(int(1, 2), int(1, 3), int(1, 8), int(1, 8)),
    filter: fc.tuple(int(1, 5), int(1, 5)),
    up: fc.tuple(int(1, 3), int(1, 3)),
    down: fc.tuple(int(1, 3), int(1, 3)),
    pad: fc.tuple(int(-2, 4), int(-2, 4), int(-2, 4), int(-2, 4)),
    seed,
  })
  .filter(
    ({ shape, filter, up, pad: [t, b, l, r] }) =>
      shape[2] * up[0] + t + b >= filter[0] && shape[3] * up[1] + l + r >= filter[1],
  );

test("any up, down, padding and odd filter: value, first and second derivative", () =>
  check(
    problems,
    async ({ shape, filter, up, down, pad, seed }) => {
      const attrs = { up, down, pad };
      const kernel = normal(filter, seed + 1);
      const taps = upload(kernel);
      const x = normal(shape, seed);
      await checkOp({
        op: (x) => upfirdn2d(x, taps, attrs),
        oracle: (x) => oracle.upfirdn2d(x, kernel, attrs),
        inputs: [x],
        seed,
        terms: filter[0] * filter[1],
        magnitude: oracle.upfirdn2d(map(x, Math.abs), map(kernel, Math.abs), attrs),
      });
      taps.dispose();
    },
    25,
  ));

test("one number for both axes, two paddings for before and after", async () => {
  const [x, kernel] = [normal([1, 2, 5, 6], 1), normal([4, 4], 2)];
  const y = upfirdn2d(upload(x), upload(kernel), { up: 2, down: 3, pad: [2, 1] });
  expectNear(await y.data(), oracle.upfirdn2d(x, kernel, { up: [2, 2], down: [3, 3], pad: [2, 1, 2, 1] }), {
    terms: 16,
  });
  y.dispose();
});

describe("messages", () => {
  const [x, filter] = [engine.ones([1, 1, 3, 3]), engine.ones([4, 4])];

  test("the filter is fixed", () => {
    expect(() => upfirdn2d(x, engine.variable([1], [1, 1]))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: upfirdn2d: the filter has no gradient; pass a plain tensor]`,
    );
  });
  test("dtype and ranks", () => {
    expect(() => upfirdn2d(engine.ones([1, 1, 3, 3], "i32"), filter)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: upfirdn2d: got dtype i32, expected f32]`,
    );
    expect(() => upfirdn2d(x, engine.ones([4]))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: upfirdn2d: got x [1,1,3,3], filter [4], expected [n,c,h,w] and [kh,kw]]`,
    );
  });
  test("no output", () => {
    expect(() => upfirdn2d(x, filter)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: upfirdn2d: got x [1,1,3,3], smaller than the filter; pad more]`,
    );
  });
  test("up and down", () => {
    expect(() => upfirdn2d(x, filter, { up: 0, pad: [3, 3] })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: upfirdn2d: got up [0,0], expected [y,x] of whole numbers from 1]`,
    );
    const three = [3, 3, 3] as unknown as [number, number];
    expect(() => upfirdn2d(x, filter, { pad: three })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: upfirdn2d: got pad [3,3,3], expected [before,after] or [top,bottom,left,right] of whole numbers]`,
    );
    expect(() => upfirdn2d(x, filter, { up: three, pad: [3, 3] })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: upfirdn2d: got up [3,3,3], expected [y,x] of whole numbers from 1]`,
    );
    expect(() => upfirdn2d(x, filter, { pad: [3, 2.5] })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: upfirdn2d: got pad [3,2.5], expected [before,after] or [top,bottom,left,right] of whole numbers]`,
    );
    expect(() => upfirdn2d(x, filter, { down: [1, 1.5], pad: [3, 3] })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: upfirdn2d: got down [1,1.5], expected [y,x] of whole numbers from 1]`,
    );
  });
});
