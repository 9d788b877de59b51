import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  broadcastShapes,
  broadcastStrides,
  collapse,
  normalAxes,
  reducedShape,
  requireShape,
  sameShape,
  shapeSize,
  showShape,
  stridesOf,
} from "../../engine/shapes.ts";
import { check } from "../support/property.ts";

const shapes = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 5 });

test("sizes, strides and names of shapes", () => {
  expect(shapeSize([])).toBe(1);
  expect(shapeSize([2, 3, 4])).toBe(24);
  expect(stridesOf([])).toEqual([]);
  expect(stridesOf([2, 3, 4])).toEqual([12, 4, 1]);
  expect(showShape([])).toBe("[]");
  expect(showShape([2, 3])).toBe("[2,3]");
  expect(sameShape([1, 2], [1, 2])).toBe(true);
  expect(sameShape([1, 2], [1, 2, 1])).toBe(false);
  expect(sameShape([1, 2], [2, 1])).toBe(false);
});

describe("broadcasting", () => {
  test("aligns at the right and stretches 1", () => {
    expect(broadcastShapes("add", [3, 1], [4])).toEqual([3, 4]);
    expect(broadcastShapes("add", [], [2, 1])).toEqual([2, 1]);
    expect(broadcastShapes("add", [1, 1, 5], [4, 1])).toEqual([1, 4, 5]);
    expect(broadcastStrides([3, 1], [2, 3, 4])).toEqual([0, 1, 0]);
    expect(broadcastStrides([4], [2, 3, 4])).toEqual([0, 0, 1]);
    expect(() => broadcastShapes("add", [2, 3], [3, 3, 3])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: add: got shapes [2,3] and [3,3,3], axis -2 differs (2 and 3); expected equal lengths or 1]`,
    );
  });

  test("does not mind the order, and is idle on one shape", () =>
    check(
      shapes,
      (shape) => {
        const thin = shape.map((d, i) => (i % 2 ? 1 : d));
        expect(broadcastShapes("f", shape, thin)).toEqual(shape);
        expect(broadcastShapes("f", thin, shape)).toEqual(shape);
        expect(broadcastShapes("f", shape, shape)).toEqual(shape);
      },
      100,
    ));
});

describe("axes", () => {
  test("from either end, sorted; all if absent", () => {
    expect(normalAxes("sum", [2, 3, 4], undefined)).toEqual([0, 1, 2]);
    expect(normalAxes("sum", [2, 3, 4], -1)).toEqual([2]);
    expect(normalAxes("sum", [2, 3, 4], [2, -3])).toEqual([0, 2]);
    expect(normalAxes("sum", [], undefined)).toEqual([]);
  });

  test("refused with the range that there is", () => {
    expect(() => normalAxes("sum", [2, 3], 2)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: sum: got axis 2 for shape [2,3], expected -2 to 1]`,
    );
    expect(() => normalAxes("sum", [2, 3], 0.5)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: sum: got axis 0.5 for shape [2,3], expected -2 to 1]`,
    );
    expect(() => normalAxes("sum", [], 0)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: sum: got axis 0 for shape [], expected none: a scalar has no axes]`,
    );
    expect(() => normalAxes("sum", [2, 3], [1, -1])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: sum: got axes [1,-1], an axis is named twice]`,
    );
  });

  test("what a reduction leaves", () => {
    expect(reducedShape([2, 3, 4], [0, 2], false)).toEqual([3]);
    expect(reducedShape([2, 3, 4], [0, 2], true)).toEqual([1, 3, 1]);
    expect(reducedShape([2], [0], false)).toEqual([]);
  });
});

describe("collapse", () => {
  /** Offsets of all operands in the order of a walk. */
  function walk(dims: readonly number[], strides: readonly (readonly number[])[]): number[][] {
    let at = [strides.map(() => 0)];
    dims.forEach((d, axis) => {
      at = at.flatMap((o) =>
        Array.from({ length: d }, (_, i) => o.map((v, k) => v + i * strides[k]![axis]!)),
      );
    });
    return at;
  }

  test("walks the same elements in the same order, with fewer axes", () =>
    check(
      fc.record({ shape: shapes, mask: fc.nat(31), order: fc.nat(119) }),
      ({ shape, mask, order }) => {
        const thin = shape.map((d, i) => (mask & (1 << i) ? 1 : d));
        const turned = shape.map((_, i) => (i + order) % shape.length);
        const own = stridesOf(shape);
        const strides = [own, broadcastStrides(thin, shape), turned.map((a) => own[a]!)];
        const joined = collapse(shape, strides);
        expect(walk(joined.dims, joined.strides)).toEqual(walk(shape, strides));
        expect(joined.dims.length).toBeLessThanOrEqual(Math.max(1, shape.length));
      },
      200,
    ));

  test("a contiguous walk is one axis, a scalar too", () => {
    expect(collapse([2, 3, 4], [[12, 4, 1]])).toEqual({ dims: [24], strides: [[1]] });
    expect(
      collapse(
        [2, 1, 3],
        [
          [3, 9, 1],
          [0, 0, 0],
        ],
      ),
    ).toEqual({ dims: [6], strides: [[1], [0]] });
    expect(collapse([], [[], []])).toEqual({ dims: [1], strides: [[0], [0]] });
    expect(collapse([1, 1], [[5, 7]])).toEqual({ dims: [1], strides: [[0]] });
  });
});

test("requireShape wants whole lengths from 1", () => {
  expect(() => requireShape("zeros", [])).not.toThrow();
  for (const bad of [[0], [2, -1], [1.5], [Number.NaN]])
    expect(() => requireShape("zeros", bad)).toThrow(/expected whole lengths of at least 1/);
  expect(() => requireShape("zeros", [2, 0])).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: zeros: got shape [2,0], expected whole lengths of at least 1]`,
  );
});
