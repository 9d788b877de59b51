import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cast } from "../../engine/ops/cast.ts";
import { chunk, concat, flip, narrow, pad, permute, slice, transpose } from "../../engine/ops/shape.ts";
import * as oracle from "../../engine/oracle/shape.ts";
import { checkOp, upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { check, seed } from "../support/property.ts";

const int = (min: number, max: number) => fc.integer({ min, max });
const shapes = fc.array(int(1, 5), { minLength: 1, maxLength: 5 });

test("permute by any order", () =>
  check(
    fc.record({
      axes: fc.array(int(1, 4), { minLength: 1, maxLength: 5 }),
      keys: fc.array(int(0, 99), { minLength: 5, maxLength: 5 }),
      negative: fc.boolean(),
      seed,
    }),
    async ({ axes, keys, negative, seed }) => {
      const order = axes.map((_, i) => i).sort((a, b) => keys[a]! - keys[b]!);
      const given = negative ? order.map((a) => a - axes.length) : order;
      await checkOp({
        op: (x) => permute(x, given),
        oracle: (x) => oracle.permute(x, order),
        inputs: [normal(axes, seed)],
        seed,
      });
    },
    15,
  ));

test("transpose swaps the last two axes", () =>
  checkOp({
    op: transpose,
    oracle: (x) => oracle.permute(x, [0, 2, 1]),
    inputs: [normal([2, 3, 4], 1)],
    seed: 3,
  }));

/** A block inside a shape. */
const blocks = shapes.chain((shape) =>
  fc.record({
    shape: fc.constant(shape),
    starts: fc.tuple(...shape.map((d) => int(0, d - 1))),
    extents: fc.tuple(...shape.map(() => int(1, 5))),
    seed,
  }),
);

test("slice takes any block", () =>
  check(
    blocks,
    async ({ shape, starts, extents, seed }) => {
      const sizes = extents.map((e, i) => Math.min(e, shape[i]! - starts[i]!));
      await checkOp({
        op: (x) => slice(x, starts, sizes),
        oracle: (x) => oracle.slice(x, starts, sizes),
        inputs: [normal(shape, seed)],
        seed,
      });
    },
    12,
  ));

test("narrow takes part of one axis, chunk equal parts", async () => {
  const x = normal([3, 6, 2], 1);
  await checkOp({
    op: (t) => narrow(t, -2, 1, 3),
    oracle: (t) => oracle.slice(t, [0, 1, 0], [3, 3, 2]),
    inputs: [x],
    seed: 3,
  });
  const parts = chunk(upload(x), 3, 1);
  for (const [i, part] of parts.entries()) {
    expect(part.shape).toEqual([3, 2, 2]);
    expect([...(await part.data())]).toEqual([...oracle.slice(x, [0, 2 * i, 0], [3, 2, 2]).data]);
    part.dispose();
  }
});

test.runIf(engine.device.features.has("shader-f16"))("pad of values stored as f16", async () => {
  const x = { shape: [2, 3], data: Float64Array.from([1, 2, 3, 4, 5, 0.1]) };
  const pads = [
    [1, 0],
    [0, 2],
  ] as const;
  const y = engine.scope(() => pad(cast(upload(x), "f16"), pads, -0.5));
  expect(y.dtype).toBe("f16");
  const expected = oracle.pad(
    { ...x, data: x.data.map((v) => (v === 0.1 ? 0.0999755859375 : v)) },
    pads,
    -0.5,
  );
  expect([...(await y.data())]).toEqual([...expected.data]);
  y.dispose();
});

test("pad puts a value around", () =>
  check(
    fc.record({
      shape: shapes,
      widths: fc.array(fc.tuple(int(0, 3), int(0, 3)), { minLength: 5, maxLength: 5 }),
      value: fc.constantFrom(0, -1.5),
      seed,
    }),
    async ({ shape, widths, value, seed }) => {
      const pads = shape.map((_, i) => widths[i]!);
      await checkOp({
        op: (x) => pad(x, pads, value),
        oracle: (x) => oracle.pad(x, pads, value),
        inputs: [normal(shape, seed)],
        seed,
      });
    },
    12,
  ));

test("concat joins along any axis", () =>
  check(
    fc.record({
      shape: shapes,
      lengths: fc.array(int(1, 4), { minLength: 2, maxLength: 4 }),
      at: int(0, 4),
      negative: fc.boolean(),
      seed,
    }),
    async ({ shape, lengths, at, negative, seed }) => {
      const axis = at % shape.length;
      const inputs = lengths.map((length, i) =>
        normal(
          shape.map((d, k) => (k === axis ? length : d)),
          seed + i,
        ),
      );
      const given = negative ? axis - shape.length : axis;
      await checkOp({
        op: (...xs) => concat(xs, given),
        oracle: (...xs) => oracle.concat(xs, axis),
        inputs,
        seed,
      });
    },
    10,
  ));

test("concat of one tensor is that tensor", () => {
  const x = engine.ones([2]);
  expect(concat([x], 0)).toBe(x);
});

test("flip along any axes", () =>
  check(
    fc.record({ shape: shapes, mask: int(1, 31), seed }),
    async ({ shape, mask, seed }) => {
      const axes = shape.flatMap((_, i) => (mask & (1 << i) ? [i] : []));
      await checkOp({
        op: (x) => flip(x, axes),
        oracle: (x) => oracle.flip(x, axes),
        inputs: [normal(shape, seed)],
        seed,
      });
    },
    10,
  ));

test("bits of any dtype pass through, NaN payloads and small whole numbers too", async () => {
  const bits = Uint32Array.of(1, 0x7fc0beef, 0xff800001, 0x80000000, 0x007fffff, 7);
  for (const t of [
    engine.tensor(bits, [2, 3]),
    engine.tensor(new Int32Array(bits.buffer), [2, 3]),
    engine.tensor(new Float32Array(bits.buffer), [2, 3]),
  ]) {
    const results = [
      flip(flip(t, 0), 0),
      permute(permute(t, [1, 0]), [1, 0]),
      concat(chunk(t, 3, 1), 1),
      slice(
        pad(t, [
          [1, 0],
          [0, 2],
        ]),
        [1, 0],
        [2, 3],
      ),
    ];
    for (const y of results) {
      const host = await y.data();
      expect(y.dtype).toBe(t.dtype);
      expect(new Uint32Array(host.buffer, host.byteOffset, 6)).toEqual(bits);
      y.dispose();
    }
  }
});

describe("messages", () => {
  const x = engine.ones([2, 3]);

  test("permute", () => {
    expect(() => permute(x, [0])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: permute: got order [0] for [2,3], expected every axis once]`,
    );
    expect(() => permute(x, [0, 0])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: permute: got axes [0,0], an axis is named twice]`,
    );
    expect(() => permute(x, [0, 2])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: permute: got axis 2 for shape [2,3], expected -2 to 1]`,
    );
    expect(() => transpose(engine.ones([2]))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: transpose: got [2], expected rank 2 or more; reshape first]`,
    );
  });
  test("slice, narrow, chunk", () => {
    expect(() => slice(x, [0, 1], [2, 3])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: slice: got starts [0,1], sizes [2,3] of [2,3], expected a block inside it]`,
    );
    expect(() => slice(x, [0], [2])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: slice: got starts [0], sizes [2] of [2,3], expected a block inside it]`,
    );
    expect(() => slice(x, [0, -1], [1, 1])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: slice: got starts [0,-1], sizes [1,1] of [2,3], expected a block inside it]`,
    );
    expect(() => narrow(x, 2, 0, 1)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: narrow: got axis 2 for shape [2,3], expected -2 to 1]`,
    );
    expect(() => chunk(x, 2, 1)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: chunk: got axis of 3, expected a multiple of 2]`,
    );
    for (const parts of [0, -1, 0.5, Number.NaN])
      expect(() => chunk(x, parts, 1)).toThrow(
        `chunk: got ${parts} parts, expected a whole number of at least 1`,
      );
    expect(() => chunk(x, 2, 5)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: chunk: got axis 5 for shape [2,3], expected -2 to 1]`,
    );
  });
  test("pad", () => {
    expect(() => pad(x, [[1, 1]])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: pad: got widths [[1,1]] for [2,3], expected [before, after] >= 0 for each axis]`,
    );
    const one = [1] as unknown as [number, number];
    expect(() => pad(x, [one, [0, 0]])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: pad: got widths [[1],[0,0]] for [2,3], expected [before, after] >= 0 for each axis]`,
    );
    expect(() =>
      pad(x, [
        [1, 1],
        [-1, 0],
      ]),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: pad: got widths [[1,1],[-1,0]] for [2,3], expected [before, after] >= 0 for each axis]`,
    );
  });
  test("concat", () => {
    expect(() => concat([], 0)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: concat: got no tensors, expected at least one]`,
    );
    expect(() => concat([x, engine.ones([2, 4])], 0)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: concat: got f32 [2,3] and f32 [2,4], expected one dtype and equal lengths but on axis 0]`,
    );
    expect(() => concat([x, engine.ones([2, 3], "i32")], 0)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: concat: got f32 [2,3] and i32 [2,3], expected one dtype and equal lengths but on axis 0]`,
    );
    expect(() => concat([x, x], 2)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: concat: got axis 2 for shape [2,3], expected -2 to 1]`,
    );
  });
  test("flip", () => {
    expect(() => flip(x, 2)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: flip: got axis 2 for shape [2,3], expected -2 to 1]`,
    );
  });
});
