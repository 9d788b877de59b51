import {
  averagePool,
  maxPoolGrad as maxGradKernel,
  maxPool as maxKernel,
  takeIndexed,
} from "../../kernels/pool.ts";
import { runLength } from "../../kernels/runs.ts";
import {
  type FoursVariant,
  foursVariant,
  markedMaxOfFours,
  markedPlaces,
  maxOfFours,
  maxOfFoursGrad,
  meanOfFours,
} from "../../kernels/sliding-fours.ts";
import { slidingMax, slidingMean } from "../../kernels/sliding-pool.ts";
import type { Engine } from "../engine.ts";
import { UsageError } from "../errors.ts";
import { defineOp, type Inputs, type Op } from "../op.ts";
import { withResidual } from "../oracle/array.ts";
import * as oracle from "../oracle/pool.ts";
import { showShape } from "../shapes.ts";
import type { Tensor } from "../tensor.ts";
import { launchBlocks, wholeBlocks } from "./blocks.ts";
import {
  fourPads,
  type Padding,
  type Pair,
  pair,
  requireLengths,
  requirePadding,
  sizeOf,
} from "./conv-shapes.ts";
import { requireFloat } from "./require.ts";

// Average pooling and its gradient are each other's adjoint; the maximum's gradient is a scatter whose adjoint reads back.

interface Attrs {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding: Padding;
}
type AvgAttrs = Attrs & { readonly countIncludePad: boolean };

const outSize = (x: Tensor, { kernel, stride, padding: [t, b, l, r] }: Attrs): Pair => [
  Math.floor((x.dim(2) + t + b - kernel[0]) / stride[0]) + 1,
  Math.floor((x.dim(3) + l + r - kernel[1]) / stride[1]) + 1,
];

const windows = (
  planes: number,
  [height, width]: Pair,
  [oh, ow]: Pair,
  { kernel, stride, padding }: Attrs,
) => ({
  planes,
  height,
  width,
  oh,
  ow,
  kh: kernel[0],
  kw: kernel[1],
  strideY: stride[0],
  strideX: stride[1],
  top: padding[0],
  left: padding[2],
});

/** Largest kernel that slides: its windows are unrolled. */
const SLIDING = 8;
const slides = ({ kernel, stride }: Attrs): boolean =>
  Math.max(...stride) === 1 && Math.max(...kernel) <= SLIDING;
/** Windows that touch, none on padding. */
const sideBySide = ({ kernel, stride, padding }: Attrs): boolean =>
  kernel[0] === stride[0] && kernel[1] === stride[1] && Math.max(...padding) === 0;
const sliding = (engine: Engine, { kernel: [kh, kw] }: Attrs) => ({
  kh,
  kw,
  rows: engine.hardware.kind === "cpu" ? 16 : 4,
});

/** The same by vec4s, with so many columns of padding before lines of `from`, where an adapter takes them so. */
const byFours = (
  engine: Engine,
  what: Parameters<typeof foursVariant>[1],
  { kernel: [kh, kw] }: Attrs,
  [from, to]: readonly [Pair, Pair],
  left: number,
): FoursVariant | undefined =>
  foursVariant(engine.hardware, what, { kh, kw, left, from: from[1], to: to[1], oh: to[0] });

/** Windows as blocks of inputs of a size. */
const blocksOf = (engine: Engine, inputs: Pair, outputs: Pair, attrs: Attrs): Pair | undefined =>
  sideBySide(attrs) ? wholeBlocks(engine, outputs, inputs, attrs.kernel) : undefined;

/** Means, or their adjoint from outputs `from` to inputs `to`; blocks are added to a residual. */
function averages(
  engine: Engine,
  [given, residual]: Inputs,
  to: Pair,
  attrs: AvgAttrs,
  adjoint: boolean,
): Tensor {
  const { padding, countIncludePad: countPad } = attrs;
  const x = given!;
  const [n, c, ...from] = x.shape as [number, number, number, number];
  const y = engine.empty([n, c, ...to]);
  const blocks = adjoint ? blocksOf(engine, to, from, attrs) : blocksOf(engine, from, to, attrs);
  const scale = 1 / (attrs.kernel[0] * attrs.kernel[1]);
  if (blocks) launchBlocks(engine, { x, residual, y }, blocks, { sum: !adjoint, scale });
  else if (slides(attrs) && countPad) {
    const variant = sliding(engine, attrs);
    const [top, left] = adjoint
      ? [variant.kh - 1 - padding[0], variant.kw - 1 - padding[2]]
      : [padding[0], padding[2]];
    const sizes = { planes: n * c, height: from[0], width: from[1], oh: to[0], ow: to[1], top, left };
    const fours = byFours(engine, "mean", attrs, [from, to], left);
    if (fours) engine.launch(meanOfFours, fours, { x, y }, sizes);
    else engine.launch(slidingMean, variant, { x, y }, sizes);
  } else {
    const [inputs, outputs] = adjoint ? [to, from] : [from, to];
    const variant = { adjoint, countPad, run: runLength(engine.hardware) };
    engine.launch(averagePool, variant, { x, y }, windows(n * c, inputs, outputs, attrs));
  }
  return y;
}

const avgOp: Op<AvgAttrs> = defineOp({
  name: "avg_pool2d",
  forward: (engine, [x], attrs) => averages(engine, [x], outSize(x!, attrs), attrs, false),
  vjp: ({ engine, dy, shapes, attrs, take }) => {
    const inputSize: Pair = [shapes[0]![2]!, shapes[0]![3]!];
    const before = blocksOf(engine, inputSize, sizeOf(dy), attrs) && take(0);
    return [avgGradOp(engine, [dy, before], { ...attrs, inputSize })];
  },
  oracle: ([x], attrs) => oracle.avgPool2d(x!, attrs),
});

/** With a residual that is added, where windows are blocks. */
const avgGradOp: Op<AvgAttrs & { readonly inputSize: Pair }> = defineOp({
  name: "avg_pool2d_grad",
  forward: (engine, inputs, attrs) => averages(engine, inputs, attrs.inputSize, attrs, true),
  vjp: ({ dy, attrs, wants }) => [
    wants[0] ? avgOp(dy.engine, [dy], attrs) : undefined,
    wants[1] ? dy : undefined,
  ],
  oracle: ([dy, residual], attrs) => withResidual(oracle.avgPool2dGrad(dy!, attrs), residual),
});

const maxOp = defineOp<Attrs>({
  name: "max_pool2d",
  forward: (engine, [x], attrs) => {
    const from = [x!.dim(2), x!.dim(3)] as const;
    const size = outSize(x!, attrs);
    const maps = [x!.dim(0), x!.dim(1)];
    const y = engine.empty([...maps, ...size]);
    const params = windows(x!.dim(0) * x!.dim(1), from, size, attrs);
    const fours = slides(attrs) && byFours(engine, "max", attrs, [from, size], attrs.padding[2]);
    if (fours && !(engine.recording && x!.node)) {
      engine.launch(maxOfFours, fours, { x: x!, y }, params);
      return y;
    }
    if (fours) {
      const marks = engine.empty([...maps, size[0], size[1] / 4], "u32");
      engine.launch(markedMaxOfFours, fours, { x: x!, y, marks }, params);
      return { y, extras: [marks] };
    }
    const index = engine.empty([...maps, ...size], "i32");
    const tensors = { x: x!, y, index };
    if (slides(attrs)) engine.launch(slidingMax, sliding(engine, attrs), tensors, params);
    else engine.launch(maxKernel, { run: runLength(engine.hardware) }, tensors, params);
    return { y, extras: [index] };
  },
  vjp: ({ dy, extras, shapes, attrs }) => {
    const inputSize: Pair = [shapes[0]![2]!, shapes[0]![3]!];
    const marked = extras[0]!.dtype === "u32";
    return [maxGradOp(dy.engine, [dy, extras[0]!], { ...attrs, inputSize, marked })];
  },
  oracle: ([x], attrs) => oracle.maxPool2d(x!, attrs).y,
});

type MaxGradAttrs = Attrs & {
  readonly inputSize: Pair;
  /** Where maxima stand is told by marks, not by an index: see kernels/sliding-fours.ts. */
  readonly marked: boolean;
};

const maxGradOp: Op<MaxGradAttrs> = defineOp({
  name: "max_pool2d_grad",
  forward: (engine, [dy, index], attrs) => {
    const { kernel, padding, inputSize } = attrs;
    const dx = engine.empty([dy!.dim(0), dy!.dim(1), ...inputSize]);
    const size: Pair = [dy!.dim(2), dy!.dim(3)];
    const planes = dy!.dim(0) * dy!.dim(1);
    if (attrs.marked) {
      const [top, left] = [kernel[0] - 1 - padding[0], kernel[1] - 1 - padding[2]];
      const sizes = {
        planes,
        height: size[0],
        width: size[1],
        oh: inputSize[0],
        ow: inputSize[1],
        top,
        left,
      };
      const fours = byFours(engine, "maxGrad", attrs, [size, inputSize], left)!;
      engine.launch(maxOfFoursGrad, fours, { dy: dy!, marks: index!, dx }, sizes);
      return dx;
    }
    engine.launch(
      maxGradKernel,
      { by: engine.hardware.kind === "cpu" && planes >= 8 ? "plane" : "place" },
      { dy: dy!, index: index!, dx },
      windows(planes, inputSize, size, attrs),
    );
    return dx;
  },
  vjp: ({ engine, inputs: [, index], dy, attrs }) => [
    takeOp(dy.engine, [dy, attrs.marked ? placesOp(engine, [index!], attrs) : index!], {}),
  ],
  saves: { inputs: [1] },
  oracle: ([dy, index], { marked, inputSize, ...attrs }) =>
    oracle.maxPool2dGrad(dy!, marked ? oracle.markedPlaces(index!, attrs, inputSize) : index!, inputSize),
});

/** The index that marks stand for. */
const placesOp: Op<MaxGradAttrs> = defineOp({
  name: "marked_places",
  forward: (engine, [marks], { inputSize, padding: [top, , left] }) => {
    const [n, c, oh, words] = marks!.shape as [number, number, number, number];
    const index = engine.empty([n, c, oh, 4 * words], "i32");
    const sizes = { count: index.size, oh, ow: 4 * words, width: inputSize[1], top, left };
    engine.launch(markedPlaces, {}, { marks: marks!, index }, sizes);
    return index;
  },
  vjp: "none",
  oracle: ([marks], { inputSize, ...attrs }) => oracle.markedPlaces(marks!, attrs, inputSize),
});

const takeOp: Op<object> = defineOp({
  name: "take_indexed",
  forward: (engine, [x, index]) => {
    const y = engine.empty(index!.shape);
    const planes = index!.dim(0) * index!.dim(1);
    engine.launch(
      takeIndexed,
      { run: runLength(engine.hardware) },
      { x: x!, index: index!, y },
      { planes, inputs: x!.size / planes, outputs: index!.size / planes },
    );
    return y;
  },
  vjp: ({ inputs: [, index], dy, shapes }) => {
    const inputSize: Pair = [shapes[0]![2]!, shapes[0]![3]!];
    // Every entry of index names its own place: windows so large and so far before the map that each sees all of it.
    const [oh, ow] = [dy.dim(2), dy.dim(3)];
    const attrs = {
      kernel: [inputSize[0] + oh, inputSize[1] + ow] as const,
      stride: [1, 1] as const,
      padding: [oh, 0, ow, 0] as const,
      marked: false,
    };
    return [maxGradOp(dy.engine, [dy, index!], { ...attrs, inputSize })];
  },
  saves: { inputs: [1] },
  oracle: ([x, index]) => {
    const planes = index!.shape[0]! * index!.shape[1]!;
    const [from, to] = [x!.data.length / planes, index!.data.length / planes];
    return {
      shape: index!.shape,
      data: index!.data.map((at, i) => x!.data[Math.floor(i / to) * from + at]!),
    };
  },
});

/** Windows of a pool. One number stands for both axes. */
export interface PoolOptions {
  /** Height and width of the window, or both as one. */
  kernel: number | Pair;
  /** The kernel's size if absent, as in torch. */
  stride?: number | Pair;
  /** Less than the kernel; 0 unless told. */
  padding?: number | Pair | Padding;
}

function requirePool(who: string, x: Tensor, { kernel, stride, padding }: PoolOptions): Attrs {
  requireFloat(who, x);
  const attrs = { kernel: pair(kernel), stride: pair(stride ?? kernel), padding: fourPads(padding ?? 0) };
  if (x.rank !== 4) throw new UsageError(`${who}: got x ${showShape(x.shape)}, expected [n,c,h,w]`);
  requireLengths(who, { kernel: attrs.kernel, stride: attrs.stride });
  requirePadding(who, attrs.padding, 0);
  const [t, b, l, r] = attrs.padding;
  if (Math.max(t, b) >= attrs.kernel[0] || Math.max(l, r) >= attrs.kernel[1])
    throw new UsageError(
      `${who}: got padding [${attrs.padding}], expected less than the kernel [${attrs.kernel}]`,
    );
  const size = outSize(x, attrs);
  if (size[0] < 1 || size[1] < 1)
    throw new UsageError(
      `${who}: got x ${showShape(x.shape)}, smaller than the kernel [${attrs.kernel}]; pad more or use a larger image`,
    );
  return attrs;
}

/**
 * Means over windows of x [n,c,h,w] -> [n,c,oh,ow], as torch's avg_pool2d. `countIncludePad` false divides by real inputs
 * only. Throws UsageError for another rank, numbers out of range, and an image smaller than the kernel.
 */
export const avgPool2d = (x: Tensor, options: PoolOptions & { countIncludePad?: boolean }): Tensor =>
  avgOp(x.engine, [x], {
    ...requirePool("avgPool2d", x, options),
    countIncludePad: options.countIncludePad ?? true,
  });

/**
 * Maxima over windows of x [n,c,h,w] -> [n,c,oh,ow]; padding never wins; the first maximum in reading order takes the
 * gradient. Throws UsageError as avgPool2d does.
 */
export const maxPool2d = (x: Tensor, options: PoolOptions): Tensor =>
  maxOp(x.engine, [x], requirePool("maxPool2d", x, options));
