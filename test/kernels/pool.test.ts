import { expect, test } from "vitest";
import type { Padding, Pair } from "../../engine/ops/conv-shapes.ts";
import type { Array64 } from "../../engine/oracle/array.ts";
import * as oracle from "../../engine/oracle/pool.ts";
import { averagePool, maxPool, maxPoolGrad, takeIndexed } from "../../kernels/pool.ts";
import { type SlidingVariant, slidingMax, slidingMean } from "../../kernels/sliding-pool.ts";
import { normal } from "../support/draw.ts";
import { eachVariant, launched } from "../support/kernels.ts";
import { integers, largest, ties } from "../support/maxima.ts";
import { expectNear } from "../support/near.ts";

interface Problem {
  readonly shape: readonly [number, number, number, number];
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding: Padding;
}

/** Maps with lines shorter and longer than a run, windows that overlap, touch and leave gaps. */
const problems: readonly Problem[] = [
  { shape: [1, 1, 1, 1], kernel: [1, 1], stride: [1, 1], padding: [0, 0, 0, 0] },
  { shape: [2, 3, 6, 138], kernel: [2, 2], stride: [2, 2], padding: [0, 0, 0, 0] },
  { shape: [1, 2, 9, 37], kernel: [3, 4], stride: [2, 3], padding: [1, 2, 3, 0] },
  { shape: [3, 1, 7, 5], kernel: [5, 5], stride: [1, 1], padding: [2, 4, 4, 1] },
  { shape: [1, 3, 8, 18], kernel: [1, 2], stride: [3, 5], padding: [0, 0, 1, 1] },
];

type Sizes = { planes: number; height: number; width: number; oh: number; ow: number };
const windows = ({ kernel, stride, padding }: Omit<Problem, "shape">, sizes: Sizes) => ({
  ...sizes,
  ...{ kh: kernel[0], kw: kernel[1], strideY: stride[0], strideX: stride[1] },
  ...{ top: padding[0], left: padding[2] },
});

test.each(eachVariant(averagePool))("%s", async (_, variant) => {
  for (const { shape, ...attrs } of problems) {
    const full = { ...attrs, countIncludePad: variant.countPad };
    const [n, c, height, width] = shape;
    const [, , oh, ow] = oracle.avgPool2d(normal(shape, 1), full).shape as [number, number, number, number];
    const x = normal(variant.adjoint ? [n, c, oh, ow] : shape, 1);
    const expected = variant.adjoint
      ? oracle.avgPool2dGrad(x, { ...full, inputSize: [height, width] })
      : oracle.avgPool2d(x, full);
    const params = windows(attrs, { planes: n * c, height, width, oh, ow });
    const { y } = await launched(averagePool, variant, { x }, { y: expected.shape }, params);
    expectNear(y!, expected, { terms: attrs.kernel[0] * attrs.kernel[1] }, JSON.stringify(attrs));
  }
});

test.each(eachVariant(maxPool))("%s", async (_, variant) => {
  for (const { shape, ...attrs } of problems) {
    const x = ties(shape);
    const expected = largest(x, attrs);
    const [n, c, height, width] = shape;
    const [oh, ow] = expected.y.shape.slice(2) as [number, number];
    const params = windows(attrs, { planes: n * c, height, width, oh, ow });
    const outputs = { y: expected.y.shape, index: expected.y.shape };
    const got = await launched(maxPool, variant, { x }, outputs, params);
    expectNear(got["y"]!, expected.y, { magnitude: 0 });
    expect(integers(got["index"]!)).toEqual([...expected.index.data]);
  }
});

test.each(eachVariant(maxPoolGrad))("%s", async (_, variant) => {
  for (const { shape, ...attrs } of problems) {
    const { index } = largest(ties(shape), attrs);
    const [n, c, height, width] = shape;
    const [oh, ow] = index.shape.slice(2) as [number, number];
    const dy = normal(index.shape, 2);
    const expected = oracle.maxPool2dGrad(dy, index, [height, width]);
    const params = windows(attrs, { planes: n * c, height, width, oh, ow });
    const arrays = { dy, index: Int32Array.from(index.data) };
    const { dx } = await launched(maxPoolGrad, variant, arrays, { dx: shape }, params);
    expectNear(dx!, expected, { terms: attrs.kernel[0] * attrs.kernel[1] }, JSON.stringify(attrs));
  }
});

test.each(eachVariant(takeIndexed))("%s", async (_, variant) => {
  const [planes, inputs, outputs] = [3, 7, 37];
  const x = normal([planes, inputs], 1);
  const index = Int32Array.from({ length: planes * outputs }, (_, i) => (i * 5) % inputs);
  const { y } = await launched(
    takeIndexed,
    variant,
    { x, index },
    { y: [planes, outputs] },
    { planes, inputs, outputs },
  );
  const data = Float64Array.from(index, (at, i) => x.data[Math.floor(i / outputs) * inputs + at]!);
  expectNear(y!, { shape: [planes, outputs], data }, { magnitude: 0 });
});

/** Windows at stride 1: single, with as much padding as there can be, and over more rows than a thread goes down. */
const slides = ({ kh, kw }: SlidingVariant): Problem[] =>
  (
    [
      [
        [1, 1, kh, kw],
        [0, 0, 0, 0],
      ],
      [
        [2, 3, 7, 5],
        [kh - 1, 0, kw - 1, kw - 1],
      ],
      [
        [1, 2, 33, 9],
        [kh >> 1, kh >> 1, kw >> 1, kw >> 1],
      ],
    ] as const
  ).map(([shape, padding]) => ({ shape, padding, kernel: [kh, kw], stride: [1, 1] }));

test.each(eachVariant(slidingMean))("%s", async (_, variant) => {
  for (const { shape, ...attrs } of slides(variant)) {
    const x = normal(shape, 1);
    const expected = oracle.avgPool2d(x, { ...attrs, countIncludePad: true });
    const { y } = await launched(
      slidingMean,
      variant,
      { x },
      { y: expected.shape },
      slidingParams(x, expected, attrs),
    );
    expectNear(y!, expected, { terms: variant.kh * variant.kw }, `${shape}`);
  }
});

test.each(eachVariant(slidingMax))("%s", async (_, variant) => {
  for (const { shape, ...attrs } of slides(variant)) {
    const x = ties(shape);
    const expected = largest(x, attrs);
    const outputs = { y: expected.y.shape, index: expected.y.shape };
    const got = await launched(slidingMax, variant, { x }, outputs, slidingParams(x, expected.y, attrs));
    expectNear(got["y"]!, expected.y, { magnitude: 0 }, `${shape}`);
    expect(integers(got["index"]!)).toEqual([...expected.index.data]);
  }
});

function slidingParams(x: Array64, y: Array64, { padding: [top, , left] }: Omit<Problem, "shape">) {
  const [n, c, height, width] = x.shape as Problem["shape"];
  const [oh, ow] = y.shape.slice(2) as [number, number];
  return { planes: n * c, height, width, oh, ow, top, left };
}
