import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UsageError } from "../../engine/errors.ts";
import { type ConvAttrs, fourPads, type Pair, pair } from "../../engine/ops/conv-shapes.ts";
import { conv2d, conv2dInputGrad, conv2dWeightGrad, convTranspose2d } from "../../engine/ops/conv2d.ts";
import { type Array64, map } from "../../engine/oracle/array.ts";
import { applyBinary } from "../../engine/oracle/binary.ts";
import * as oracle from "../../engine/oracle/conv2d.ts";
import { reshape } from "../../engine/oracle/shape.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { checkOp } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { check, seed } from "../support/property.ts";

interface Problem {
  n: number;
  ci: number;
  co: number;
  size: Pair;
  kernel: Pair;
  attrs: ConvAttrs;
  seed: number;
}

const int = (min: number, max: number) => fc.integer({ min, max });

const outSize = ({
  size,
  kernel,
  attrs: {
    stride,
    dilation,
    padding: [t, b, l, r],
  },
}: Problem): Pair => [
  Math.floor((size[0] + t + b - dilation[0] * (kernel[0] - 1) - 1) / stride[0]) + 1,
  Math.floor((size[1] + l + r - dilation[1] * (kernel[1] - 1) - 1) / stride[1]) + 1,
];
const products = (p: Problem) =>
  p.n * p.ci * p.co * p.kernel[0] * p.kernel[1] * outSize(p)[0] * outSize(p)[1];

const vertical = fc.record({
  height: int(1, 12),
  kh: int(1, 5),
  stride: int(1, 3),
  dilation: int(1, 3),
  top: int(-2, 4),
  bottom: int(-2, 4),
});
const batch = int(1, 4);

/** Widths for which a thread computes 4 columns. */
const fours = fc.constantFrom(1, 2, 3, 4, 9, 10, 11, 12);
const isFour = (width: number) => width >= 1 && width <= 12 && (width - 1) % 8 < 4;
const fits = (p: Problem) => outSize(p).every((d) => d >= 1) && products(p) <= 100_000;

/**
 * Kernel width, stride and dilation along rows are compiled into a kernel, and a software driver takes a second for
 * each: so few of them are tried, with small tiles; whatever is vertical, and the padding, is drawn freely.
 */
const narrow: fc.Arbitrary<Problem> = fc
  .record({
    n: batch,
    ci: int(1, 4),
    co: int(1, 4),
    across: fc.constantFrom<number[]>([1, 1, 1], [2, 3, 1], [3, 1, 2], [4, 2, 1], [5, 1, 1]),
    width: fours,
    left: int(-2, 4),
    right: int(-2, 4),
    vertical,
    seed,
  })
  .map(
    ({ n, ci, co, across: [kw, strideX, dilationX], width, left, right, vertical: v, seed }): Problem => ({
      n,
      ci,
      co,
      seed,
      size: [v.height, width],
      kernel: [v.kh, kw!],
      attrs: {
        stride: [v.stride, strideX!],
        dilation: [v.dilation, dilationX!],
        padding: [v.top, v.bottom, left, right],
      },
    }),
  )
  .filter((p) => fits(p) && isFour(outSize(p)[1]));

/** Three by three, with any number of channels and columns, so with all tiles. */
const wide: fc.Arbitrary<Problem> = fc
  .record({
    n: batch,
    ci: int(1, 20),
    co: int(1, 20),
    width: int(1, 20),
    left: int(-1, 3),
    right: int(-1, 3),
    vertical,
    seed,
  })
  .map(
    ({ n, ci, co, width, left, right, vertical: v, seed }): Problem => ({
      n,
      ci,
      co,
      seed,
      size: [v.height, width],
      kernel: [3, 3],
      attrs: { stride: [v.stride, 1], dilation: [v.dilation, 1], padding: [v.top, v.bottom, left, right] },
    }),
  )
  .filter(fits);

const problems = fc.oneof(narrow, wide);

const absolute = (x: Array64) => map(x, Math.abs);
const shapes = ({ n, ci, co, size, kernel }: Problem) => ({ x: [n, ci, ...size], w: [co, ci, ...kernel] });

test("conv2d: value, first and second derivative, with and without bias", () =>
  check(
    fc.record({ problem: problems, biased: fc.boolean() }),
    async ({ problem, biased }) => {
      const { attrs, seed, co, ci, kernel } = problem;
      const { x, w } = shapes(problem);
      const inputs = [normal(x, seed), normal(w, seed + 1), ...(biased ? [normal([co], seed + 2)] : [])];
      const mathematics = (x: Array64, w: Array64, bias?: Array64) =>
        oracle.conv2d(x, w, bias ?? null, attrs);
      const [ax, aw, ab] = inputs.map(absolute);
      await checkOp({
        op: (x, w, bias) => conv2d(x!, w!, bias, attrs),
        oracle: mathematics,
        inputs,
        seed,
        terms: ci * kernel[0] * kernel[1],
        magnitude: mathematics(ax!, aw!, ab),
      });
    },
    25,
  ));

test("conv2d with a bias of each sample, a residual and a rescale: value, first and second derivative", () =>
  check(
    fc.record({ problem: problems, pointwise: fc.boolean(), rescale: fc.constantFrom(1, Math.SQRT1_2) }),
    async ({ problem: given, pointwise, rescale }) => {
      const plain: ConvAttrs = { stride: [1, 1], padding: [0, 0, 0, 0], dilation: [1, 1] };
      const problem = pointwise ? { ...given, kernel: [1, 1] as const, attrs: plain } : given;
      const { attrs, seed, n, co, ci, kernel } = problem;
      const { x, w } = shapes(problem);
      const [ax, aw] = [normal(x, seed), normal(w, seed + 1)];
      const residual = normal(oracle.conv2d(ax, aw, null, attrs).shape, seed + 2);
      const inputs = [ax, aw, normal([n, co], seed + 3), residual];
      const mathematics = (x: Array64, w: Array64, bias: Array64, residual: Array64) =>
        oracle.addRescaled(oracle.conv2d(x, w, bias, attrs), residual, rescale);
      const [mx, mw, mb, mr] = inputs.map(absolute);
      await checkOp({
        op: (x, w, bias, residual) => conv2d(x!, w!, bias, { ...attrs, residual, rescale }),
        oracle: mathematics,
        inputs,
        seed,
        terms: ci * kernel[0] * kernel[1],
        magnitude: mathematics(mx!, mw!, mb!, mr!),
      });
    },
    15,
  ));

test("one by one without stride or padding, a matrix product: value, first and second derivative", () =>
  check(
    fc.record({
      n: batch,
      ci: int(1, 20),
      co: int(1, 20),
      height: int(1, 9),
      width: int(1, 9),
      biased: fc.boolean(),
      seed,
    }),
    async ({ n, ci, co, height, width, biased, seed }) => {
      const attrs: ConvAttrs = { stride: [1, 1], padding: [0, 0, 0, 0], dilation: [1, 1] };
      const inputs = [
        normal([n, ci, height, width], seed),
        normal([co, ci, 1, 1], seed + 1),
        ...(biased ? [normal([co], seed + 2)] : []),
      ];
      const mathematics = (x: Array64, w: Array64, bias?: Array64) =>
        oracle.conv2d(x, w, bias ?? null, attrs);
      const [ax, aw, ab] = inputs.map(absolute);
      await checkOp({
        op: (x, w, bias) => conv2d(x!, w!, bias),
        oracle: mathematics,
        inputs,
        seed,
        terms: ci,
        magnitude: mathematics(ax!, aw!, ab),
      });
    },
    10,
  ));

test("its gradient in the input, and that one's derivatives", () =>
  check(
    problems,
    async (problem) => {
      const { attrs, seed, n, co, kernel, size: inputSize } = problem;
      const inputs = [normal([n, co, ...outSize(problem)], seed), normal(shapes(problem).w, seed + 1)];
      const full = { ...attrs, inputSize };
      const mathematics = (dy: Array64, w: Array64) => oracle.conv2dInputGrad(dy, w, full);
      await checkOp({
        op: (dy, w) => conv2dInputGrad(dy, w, full),
        oracle: mathematics,
        inputs,
        seed,
        terms: co * kernel[0] * kernel[1],
        magnitude: mathematics(absolute(inputs[0]!), absolute(inputs[1]!)),
      });
    },
    15,
  ));

test("its gradient in the weight, and that one's derivatives", () =>
  check(
    problems,
    async (problem) => {
      const { attrs, seed, n, co, kernel: kernelSize } = problem;
      const size = outSize(problem);
      const inputs = [normal([n, co, ...size], seed), normal(shapes(problem).x, seed + 1)];
      const full = { ...attrs, kernelSize };
      const mathematics = (dy: Array64, x: Array64) => oracle.conv2dWeightGrad(dy, x, full);
      await checkOp({
        op: (dy, x) => conv2dWeightGrad(dy, x, full),
        oracle: mathematics,
        inputs,
        seed,
        terms: n * size[0] * size[1],
        magnitude: mathematics(absolute(inputs[0]!), absolute(inputs[1]!)),
      });
    },
    15,
  ));

test("convTranspose2d is the gradient of a convolution, plus a bias", () =>
  check(
    fc.record({ problem: narrow, more: fc.tuple(int(0, 2), int(0, 2)) }),
    async ({ problem: p, more }) => {
      const {
        attrs: {
          stride,
          dilation,
          padding: [t, b, l, r],
        },
        kernel,
        seed,
      } = p;
      const extra: Pair = [Math.min(more[0], stride[0] - 1), Math.min(more[1], stride[1] - 1)];
      const inputSize: Pair = [
        (p.size[0] - 1) * stride[0] - t - b + dilation[0] * (kernel[0] - 1) + extra[0] + 1,
        (p.size[1] - 1) * stride[1] - l - r + dilation[1] * (kernel[1] - 1) + extra[1] + 1,
      ];
      fc.pre(inputSize[0] >= 1 && inputSize[0] <= 60 && isFour(inputSize[1]));
      const mathematics = (x: Array64, w: Array64, bias: Array64) =>
        applyBinary(
          "add",
          oracle.conv2dInputGrad(x, w, { ...p.attrs, inputSize }),
          reshape(bias, [p.ci, 1, 1]),
        );
      const inputs = [
        normal([p.n, p.co, ...p.size], seed),
        normal(shapes(p).w, seed + 1),
        normal([p.ci], seed + 2),
      ];
      const magnitude = mathematics(...(inputs.map(absolute) as [Array64, Array64, Array64]));
      const terms = p.co * kernel[0] * kernel[1];
      const options = { ...p.attrs, outputPadding: extra };
      await checkOp({
        op: (x, w, bias) => convTranspose2d(x!, w!, bias, options),
        oracle: mathematics,
        inputs,
        seed,
        terms,
        magnitude,
        derivatives: 1,
      });
    },
    10,
  ));

// Tiles are 4 or 8 columns wide, 4 or 8 channels high; dw is split over images when there are few weights.
test.each([
  { what: "one pixel, one channel", x: [1, 1, 1, 1], w: [1, 1, 1, 1], padding: 0 },
  { what: "rows of 12 (tiles of 4) and 13 (tiles of 8)", x: [2, 3, 12, 13], w: [5, 3, 3, 3], padding: 1 },
  { what: "rows of 33", x: [1, 2, 3, 33], w: [9, 2, 3, 3], padding: 1 },
  { what: "16 images in 16 splits", x: [16, 2, 5, 6], w: [3, 2, 3, 3], padding: 1 },
  { what: "17 images in 16 splits", x: [17, 1, 4, 4], w: [1, 1, 3, 3], padding: 1 },
  { what: "a kernel wider than the image", x: [1, 2, 2, 2], w: [2, 2, 3, 5], padding: 2 },
])("$what", async ({ x, w, padding }) => {
  const attrs: ConvAttrs = { stride: [1, 1], padding: fourPads(padding), dilation: [1, 1] };
  const mathematics = (x: Array64, w: Array64) => oracle.conv2d(x, w, null, attrs);
  const inputs = [normal(x, 3), normal(w, 4)];
  const magnitude = mathematics(absolute(inputs[0]!), absolute(inputs[1]!));
  await checkOp({
    op: (x, w) => conv2d(x, w, undefined, { padding }),
    oracle: mathematics,
    inputs,
    seed: 3,
    magnitude,
    terms: 25,
  });
});

test("options are one number, a pair, or four paddings", () => {
  expect(pair(3)).toEqual([3, 3]);
  expect(pair([1, 2])).toEqual([1, 2]);
  expect(fourPads(2)).toEqual([2, 2, 2, 2]);
  expect(fourPads([1, 2])).toEqual([1, 1, 2, 2]);
  expect(fourPads([1, 2, 3, 4])).toEqual([1, 2, 3, 4]);
});

describe("messages", () => {
  const x = engine.zeros([2, 3, 8, 8]);
  const w = engine.zeros([4, 3, 3, 3]);

  test("a dtype other than f32", () => {
    expect(() => conv2d(engine.zeros([2, 3, 8, 8], "i32"), w)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: conv2d: got dtype i32, expected f32]`,
    );
    expect(() => conv2d(x, engine.zeros([4, 3, 3, 3], "u32"))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: conv2d: got dtype u32, expected f32]`,
    );
    expect(() =>
      conv2d(x, w, undefined, { padding: 1, residual: engine.zeros([2, 4, 8, 8], "i32") }),
    ).toThrowErrorMatchingInlineSnapshot(`[UsageError: conv2d: got dtype i32, expected f32]`);
  });
  test("the gradients' dtypes and numbers", () => {
    const dy = engine.zeros([2, 4, 8, 8]);
    const attrs: ConvAttrs = { stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1] };
    const ofInput = (dy: Tensor, w: Tensor, change = {}) =>
      conv2dInputGrad(dy, w, { ...attrs, inputSize: [8, 8], ...change });
    const ofWeight = (dy: Tensor, x: Tensor, change = {}) =>
      conv2dWeightGrad(dy, x, { ...attrs, kernelSize: [3, 3], ...change });
    const [idy, ix, iw] = [
      [2, 4, 8, 8],
      [2, 3, 8, 8],
      [4, 3, 3, 3],
    ].map((shape) => engine.zeros(shape, "i32")) as [Tensor, Tensor, Tensor];
    const expected = "got dtype i32, expected f32";
    expect(() => ofInput(idy, w)).toThrowError(new UsageError(`conv2dInputGrad: ${expected}`));
    expect(() => ofInput(dy, iw)).toThrowError(new UsageError(`conv2dInputGrad: ${expected}`));
    expect(() => ofWeight(idy, x)).toThrowError(new UsageError(`conv2dWeightGrad: ${expected}`));
    expect(() => ofWeight(dy, ix)).toThrowError(new UsageError(`conv2dWeightGrad: ${expected}`));
    expect(() => ofInput(dy, w, { inputSize: [8.5, 8] })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: conv2dInputGrad: got inputSize [8.5,8], expected [y,x] of whole numbers from 1]`,
    );
    expect(() => ofWeight(dy, x, { kernelSize: [3.5, 3] })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: conv2dWeightGrad: got kernelSize [3.5,3], expected [y,x] of whole numbers from 1]`,
    );
    expect(() => ofInput(dy, w, { stride: [1.05, 1] })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: conv2dInputGrad: got stride [1.05,1], expected [y,x] of whole numbers from 1]`,
    );
    expect(() => ofWeight(dy, x, { padding: [1.2, 1, 1, 1] })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: conv2dWeightGrad: got padding [1.2,1,1,1], expected whole numbers]`,
    );
  });
  test("ranks", () => {
    expect(() => conv2d(engine.zeros([3, 8, 8]), w)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: conv2d: got x [3,8,8], weight [4,3,3,3], expected rank 4 both]`,
    );
  });
  test("channels", () => {
    const attrs: ConvAttrs = { stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1] };
    expect(() =>
      conv2dInputGrad(engine.zeros([2, 4, 8, 7]), w, { ...attrs, inputSize: [8, 8] }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: conv2dInputGrad: got dy [2,4,8,7], expected [2,4,8,8]]`,
    );
    expect(() =>
      conv2dWeightGrad(engine.zeros([3, 4, 8, 8]), x, { ...attrs, kernelSize: [3, 3] }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: conv2dWeightGrad: got dy [3,4,8,8], expected [2,4,8,8]]`,
    );
    expect(() => conv2d(x, engine.zeros([4, 1, 3, 3]))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: conv2d: got x [2,3,8,8] with weight [4,1,3,3], expected weight [4,3,kh,kw]; build the layer with inChannels: 3]`,
    );
    expect(() => convTranspose2d(x, w)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: convTranspose2d: got x [2,3,8,8] with weight [4,3,3,3], expected weight [3,co,kh,kw]]`,
    );
  });
  test("the bias", () => {
    expect(() => conv2d(x, w, engine.zeros([3]))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: conv2d: got bias [3], expected [4] or [2,4]]`,
    );
    expect(() =>
      convTranspose2d(engine.zeros([2, 4, 8, 8]), w, engine.zeros([4])),
    ).toThrowErrorMatchingInlineSnapshot(`[UsageError: convTranspose2d: got bias [4], expected [3]]`);
  });
  test("stride, dilation and padding", () => {
    expect(() => conv2d(x, w, undefined, { stride: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: conv2d: got stride [0,0], expected [y,x] of whole numbers from 1]`,
    );
    expect(() => conv2d(x, w, undefined, { dilation: [1, 1.5] })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: conv2d: got dilation [1,1.5], expected [y,x] of whole numbers from 1]`,
    );
    expect(() => conv2d(x, w, undefined, { padding: 0.5 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: conv2d: got padding [0.5,0.5,0.5,0.5], expected whole numbers]`,
    );
  });
  test("lists of another length, of programs without types", () => {
    const three = [1, 1, 1] as unknown as [number, number];
    expect(() => conv2d(x, w, undefined, { padding: three })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: conv2d: got padding [1,1,1], expected a number, [y,x] or [top,bottom,left,right]]`,
    );
    expect(() => conv2d(x, w, undefined, { stride: three })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: conv2d: got stride [1,1,1], expected [y,x] of whole numbers from 1]`,
    );
  });
  test("outputPadding", () => {
    const y = engine.zeros([1, 4, 3, 3]);
    expect(() =>
      convTranspose2d(y, w, undefined, { stride: 2, outputPadding: 2 }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: convTranspose2d: got outputPadding [2,2], expected whole numbers from 0 to below the stride [2,2]]`,
    );
    expect(() =>
      convTranspose2d(y, w, undefined, { stride: 2, outputPadding: [0, -1] }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: convTranspose2d: got outputPadding [0,-1], expected whole numbers from 0 to below the stride [2,2]]`,
    );
  });
  test("no output", () => {
    expect(() => conv2d(engine.zeros([1, 3, 2, 2]), w)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: conv2d: got x [1,3,2,2] with kernel 3x3, padding [0,0,0,0], dilation [1,1]: the kernel does not fit; pad more or use a larger image]`,
    );
    expect(() =>
      convTranspose2d(engine.zeros([1, 4, 1, 1]), w, undefined, { padding: 2 }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: convTranspose2d: got x [1,4,1,1] with kernel 3x3, padding [2,2,2,2]: the padding crops all of the output; pad less]`,
    );
  });
});
