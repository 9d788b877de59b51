import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { log, sum, where } from "../../engine/ops/index.ts";
import { array64, map, scalar } from "../../engine/oracle/array.ts";
import { where as mathematics } from "../../engine/oracle/binary.ts";
import { Scalar } from "../../engine/scalar.ts";
import { checkOp, upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { check, seed } from "../support/property.ts";

/** 0 and 1, and other numbers that are not 0. */
const condition = (shape: readonly number[], seed: number) =>
  map(normal(shape, seed), (v) => (v > 0 ? 0 : v < -1 ? v : 1));

const sides = fc
  .array(
    fc.record({ length: fc.integer({ min: 1, max: 6 }), own: fc.tuple(...new Array(3).fill(fc.boolean())) }),
    {
      maxLength: 4,
    },
  )
  .map((axes) => [0, 1, 2].map((k) => axes.map(({ length, own }) => (own[k] ? length : 1))));

test("all three broadcast: value, first and second derivative", () =>
  check(
    fc.record({ shapes: sides, seed }),
    async ({ shapes: [c, a, b], seed }) => {
      const cond = condition(c!, seed);
      await checkOp({
        op: (x, y) => where(upload(cond), x, y),
        oracle: (x, y) => mathematics(cond, x, y),
        inputs: [normal(a!, seed + 1), normal(b!, seed + 2)],
        seed,
        terms: 6 ** 4,
      });
    },
    20,
  ));

test.each([0.25, new Scalar(-3)])("a number on either side: %s", async (s) => {
  const cond = condition([3, 1, 5], 1);
  const number = scalar(typeof s === "number" ? s : s.value);
  const inputs = [normal([4, 5], 2)];
  await checkOp({
    op: (x) => where(upload(cond), x, s),
    oracle: (x) => mathematics(cond, x, number),
    inputs,
    seed: 3,
  });
  await checkOp({
    op: (x) => where(upload(cond), s, x),
    oracle: (x) => mathematics(cond, number, x),
    inputs,
    seed: 4,
  });
});

test("numbers on both sides", async () => {
  const y = where(upload(array64([2, 2], [1, 0, 0, -2])), 7, -0.5);
  expect([...(await y.data())]).toEqual([7, -0.5, -0.5, 7]);
});

test("NaN is not 0; 0 is, whatever its sign", async () => {
  const y = where(upload(array64([5], [NaN, -NaN, 0, -0, Infinity])), 7, 1);
  expect([...(await y.data())]).toEqual([7, 7, 1, 1, 7]);
});

test("neither values nor gradients of the side that is not taken come through", async () => {
  const x = engine.asVariable(upload(array64([3], [2, 0, -1])));
  const y = where(upload(array64([3], [1, 0, 0])), log(x), 0);
  const [slope] = grad(sum(y), [x]);
  expect([...(await y.data())].slice(1)).toEqual([0, 0]);
  expect((await slope!.data())[0]).toBe(0.5);
});

describe("messages", () => {
  const x = () => engine.ones([2, 3]);
  test("shapes that do not broadcast", () => {
    expect(() => where(engine.ones([2]), x(), 0)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: where: got shapes [2] and [2,3], axis -1 differs (2 and 3); expected equal lengths or 1]`,
    );
    expect(() => where(x(), engine.ones([3]), engine.ones([4]))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: where: got shapes [2,3] and [4], axis -1 differs (3 and 4); expected equal lengths or 1]`,
    );
  });
  test("integers, and what is no number", () => {
    expect(() => where(engine.ones([2, 3], "i32"), x(), 0)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: where: got dtype i32, expected f32]`,
    );
    expect(() => where(x(), engine.ones([2, 3], "i32"), 0)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: where: got dtype i32, expected f32]`,
    );
    expect(() => where(x(), "1" as never, x())).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: where: got "1", expected a number or a Scalar]`,
    );
  });
});
