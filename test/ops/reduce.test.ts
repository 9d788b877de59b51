import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  broadcastTo,
  identity,
  mean,
  perSample,
  reshape,
  sum,
  sumEach,
  sumTo,
} from "../../engine/ops/reduce.ts";
import { map } from "../../engine/oracle/array.ts";
import * as oracle from "../../engine/oracle/reduce.ts";
import * as shapes from "../../engine/oracle/shape.ts";
import { shapeSize } from "../../engine/shapes.ts";
import { checkOp, upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";
import { check, seed } from "../support/property.ts";

const int = (min: number, max: number) => fc.integer({ min, max });

test("each sample's elements add up to a number, those of vectors to themselves", async () => {
  const x = engine.tensor([1, 2, 3, 4, 5, 6], [2, 3, 1]);
  const [sums, same] = [sumEach(x), sumEach(engine.tensor([7, 8]))];
  expect([sums.shape, [...(await sums.data())]]).toEqual([[2], [6, 15]]);
  expect([same.shape, [...(await same.data())]]).toEqual([[2], [7, 8]]);
  for (const t of [x, sums, same]) t.dispose();
});

/** A shape up to rank 5 and some of its axes, some counted from the end. */
const reductions = fc
  .array(fc.record({ length: int(1, 5), joined: fc.boolean(), negative: fc.boolean() }), { maxLength: 5 })
  .map((axes) => ({
    shape: axes.map((a) => a.length),
    axis: axes.flatMap((a, i) => (a.joined ? [a.negative ? i - axes.length : i] : [])),
  }));

test.each(["sum", "mean"] as const)("%s over any axes: value, first and second derivative", (name) =>
  check(
    fc.record({ reduction: reductions, keepDims: fc.boolean(), seed }),
    async ({ reduction: { shape, axis }, keepDims, seed }) => {
      const op = name === "sum" ? sum : mean;
      const x = normal(shape, seed);
      await checkOp({
        op: (x) => op(x, { axis, keepDims }),
        oracle: (x) => oracle[name](x, axis, keepDims),
        inputs: [x],
        seed,
        terms: shapeSize(shape),
        magnitude: oracle[name](map(x, Math.abs), axis, keepDims),
      });
    },
    20,
  ),
);

test("all axes if none is named, one by its number", async () => {
  const x = normal([3, 4, 5], 1);
  const t = upload(x);
  for (const [y, expected] of [
    [sum(t), oracle.sum(x, null)],
    [mean(t), oracle.mean(x, null)],
    [sum(t, { axis: 1 }), oracle.sum(x, [1])],
    [mean(t, { axis: -1, keepDims: true }), oracle.mean(x, [2], true)],
  ] as const) {
    expect(y.shape).toEqual(expected.shape);
    expectNear(await y.data(), expected, { terms: 60, magnitude: 60 });
    y.dispose();
  }
});

// Chains are cut at 1,024, and cut again.
test.each([1023, 1024, 1025, 5000, 1_100_000])(
  "long sums of %d stay trees: inside, outside and alone",
  async (length) => {
    const shapes = length > 1e6 ? [[length]] : [[length], [3, length], [length, 3], [2, length, 3]];
    for (const shape of shapes) {
      const x = normal(shape, 1);
      const axis = shape.indexOf(length);
      const y = sum(upload(x), { axis });
      const tolerance = { terms: Math.log2(length), magnitude: oracle.sum(map(x, Math.abs), [axis]) };
      expectNear(await y.data(), oracle.sum(x, [axis]), tolerance, `[${shape}]`);
      y.dispose();
    }
  },
);

describe("the adjoint pair", () => {
  test("broadcastTo: value, first and second derivative", () =>
    check(
      fc.record({ reduction: reductions, lead: fc.array(int(1, 3), { maxLength: 2 }), seed }),
      async ({ reduction: { shape, axis }, lead, seed }) => {
        const axes = axis.map((a) => (a < 0 ? a + shape.length : a));
        const from = shape.map((d, i) => (axes.includes(i) ? 1 : d));
        const to = [...lead, ...shape].slice(-6);
        await checkOp({
          op: (x) => broadcastTo(x, to),
          oracle: (x) => shapes.broadcastTo(x, to),
          inputs: [normal(from, seed)],
          seed,
          derivatives: from.length === to.length && axis.length === 0 ? 0 : 2,
        });
      },
      15,
    ));

  test("sumTo undoes it", async () => {
    for (const [from, to] of [
      [[2, 3, 4], [4]],
      [
        [2, 3, 4],
        [1, 3, 1],
      ],
      [[5], []],
      [
        [2, 1, 3],
        [1, 3],
      ],
      [
        [2, 3],
        [2, 3],
      ],
    ] as const) {
      const x = normal(from, 1);
      const y = sumTo(upload(x), to);
      const lead = from.length - to.length;
      const axes = from.flatMap((d, i) => (i < lead || (to[i - lead] === 1 && d > 1) ? [i] : []));
      expect(y.shape).toEqual(to);
      expectNear(await y.data(), shapes.reshape(oracle.sum(x, axes), to), { terms: 24, magnitude: 24 });
      y.dispose();
    }
  });
});

describe("reshape", () => {
  test("value, first and second derivative; one length may be -1", () =>
    check(
      fc.record({ parts: fc.array(int(1, 4), { minLength: 1, maxLength: 4 }), cut: int(0, 4), seed }),
      async ({ parts, cut, seed }) => {
        const to = [shapeSize(parts.slice(0, cut)), -1];
        const full = [to[0]!, shapeSize(parts.slice(cut))];
        await checkOp({
          op: (x) => reshape(x, to),
          oracle: (x) => shapes.reshape(x, full),
          inputs: [normal(parts, seed)],
          seed,
        });
      },
      6,
    ));

  test("makes no copy", () => {
    const x = engine.zeros([4, 6]);
    const before = engine.memory().live;
    const y = reshape(x, [24]);
    expect(engine.memory().live).toBe(before);
    expect(y.storage).toBe(x.storage);
    y.dispose();
    x.dispose();
  });

  test("of other dtypes keeps bits", async () => {
    const y = broadcastTo(reshape(engine.tensor(Int32Array.of(-1, 2)), [2, 1]), [2, 3]);
    expect(await y.data()).toEqual(Int32Array.of(-1, -1, -1, 2, 2, 2));
    y.dispose();
  });

  test("identity has a node of its own", async () => {
    await checkOp({ op: identity, oracle: (x) => x, inputs: [normal([3, 2], 1)], seed: 3 });
    const x = engine.variable([1]);
    const y = engine.scope(() => identity(x));
    expect(y.node).not.toBe(x.node);
    y.dispose();
  });
});

describe("messages", () => {
  const x = engine.ones([2, 3]);

  test("axes", () => {
    expect(() => sum(x, { axis: 2 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: sum: got axis 2 for shape [2,3], expected -2 to 1]`,
    );
    expect(() => mean(x, { axis: -3 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: mean: got axis -3 for shape [2,3], expected -2 to 1]`,
    );
    expect(() => sum(x, { axis: [0, -2] })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: sum: got axes [0,-2], an axis is named twice]`,
    );
    expect(() => sum(engine.ones([]), { axis: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: sum: got axis 0 for shape [], expected none: a scalar has no axes]`,
    );
  });
  test("a dtype other than f32", () => {
    expect(() => sum(engine.ones([2], "i32"))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: sum: got dtype i32, expected f32]`,
    );
    expect(() => mean(engine.ones([2], "u32"))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: mean: got dtype u32, expected f32]`,
    );
  });
  test("reshape", () => {
    expect(() => reshape(x, [4])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: reshape: got [2,3] to [4], expected 6 elements]`,
    );
    expect(() => reshape(x, [4, -1])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: reshape: got [2,3] to [4,-1], expected 6 elements]`,
    );
    expect(() => reshape(x, [-1, -1])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: reshape: got [2,3] to [-1,-1], expected 6 elements]`,
    );
    expect(() => reshape(x, [0, -1])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: reshape: got [2,3] to [0,-1], expected 6 elements]`,
    );
  });
  test("broadcastTo", () => {
    for (const length of [0, -2, 1.5, Number.NaN])
      expect(() => broadcastTo(engine.ones([1]), [length])).toThrow(
        `broadcastTo: got shape [${length}], expected whole lengths of at least 1`,
      );
    expect(() => perSample(engine.ones([1]), engine.ones([]))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: perSample: got a scalar x, expected [n,...]]`,
    );
    expect(() => sumEach(engine.ones([]))).toThrow("sumEach: got a scalar, expected [n,...]");
    expect(() => broadcastTo(x, [2, 4])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: broadcastTo: got shapes [2,3] and [2,4], axis -1 differs (3 and 4); expected equal lengths or 1]`,
    );
    expect(() => broadcastTo(x, [1, 3])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: broadcastTo: got [2,3], it does not stretch to [1,3]]`,
    );
    expect(() =>
      broadcastTo(engine.ones([1, 2, 1, 2, 1, 2, 1]), [2, 2, 2, 2, 2, 2, 2]),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: copy: got 7 axes in different order, expected at most 6; reshape first]`,
    );
  });
});
