import { convGemm, convGemmWeight } from "../../kernels/conv-gemm.ts";
import {
  type ConvProblem,
  type ConvTile,
  type ConvWay,
  type ConvWeightTile,
  type ConvWeightWay,
  convWay,
  convWays,
  convWeightWay,
  convWeightWays,
  winogradBytes,
} from "../../kernels/conv-ways.ts";
import { convWeightGemm, convWeightSum } from "../../kernels/conv-weight-gemm.ts";
import { convPackWeight, convPad, convRows, convWeightRows, rowSpan } from "../../kernels/conv2d.ts";
import { matmulWay } from "../../kernels/matmul.ts";
import { type Tile, tileCount } from "../../kernels/tile.ts";
import { winogradInput, winogradOutput, winogradTiles, winogradWeight } from "../../kernels/winograd.ts";
import { bucket, chosen, type Tunable } from "../choices.ts";
import type { Engine } from "../engine.ts";
import { UsageError } from "../errors.ts";
import { defineOp, type Inputs } from "../op.ts";
import * as oracle from "../oracle/conv2d.ts";
import { sameShape, showShape } from "../shapes.ts";
import type { Tensor } from "../tensor.ts";
import { add } from "./binary.ts";
import { byMatrix } from "./conv-matrix.ts";
import { matmul, multiply } from "./matmul.ts";
import { reduceAxes, reshape, sum } from "./reduce.ts";
import { requireFloat } from "./require.ts";
import { scale } from "./scale.ts";

// Three ops closed under differentiation. With y = C(x, w), dx = I(dy, w) and dw = W(dy, x) all bilinear,
//   dC = I, W;   dI(g) = C(g, w) for dy and W(dy, g) for w;   dW(g) = C(x, g) for dy and I(dy, g) for x.

export type Pair = readonly [y: number, x: number];
export type Padding = readonly [top: number, bottom: number, left: number, right: number];

export interface ConvAttrs {
  readonly stride: Pair;
  readonly padding: Padding;
  readonly dilation: Pair;
}

export interface ConvOptions {
  stride?: number | Pair;
  /** One number for all sides, [y, x], or [top, bottom, left, right]. Negative padding crops. */
  padding?: number | Pair | Padding;
  dilation?: number | Pair;
}

/** What follows the convolution in its kernel: (conv + bias + residual) * rescale. */
export interface Epilogue {
  /** [co], or [n,co] where each sample has its own. */
  bias?: Tensor | undefined;
  /** Of the output's shape. */
  residual?: Tensor | undefined;
  /** 1 unless told. */
  rescale?: number;
}

/** Output length along one axis. */
const outLength = (
  size: number,
  before: number,
  after: number,
  k: number,
  stride: number,
  dilation: number,
): number => Math.floor((size + before + after - dilation * (k - 1) - 1) / stride) + 1;

function outSize([h, w]: Pair, [kh, kw]: Pair, { stride, padding: [t, b, l, r], dilation }: ConvAttrs): Pair {
  return [outLength(h, t, b, kh, stride[0], dilation[0]), outLength(w, l, r, kw, stride[1], dilation[1])];
}

const sizeOf = (t: Tensor): Pair => [t.dim(2), t.dim(3)];
const up4 = (n: number): number => Math.ceil(n / 4) * 4;

/** A padded copy of [planes, h, w] with `lines` rows of `pitch`, x's first element at (top, left). */
function padded(
  engine: Engine,
  x: Tensor,
  lines: number,
  pitch: number,
  top: number,
  left: number,
  step: Pair = [1, 1],
  phases = 1,
): Tensor {
  const planes = x.dim(0) * x.dim(1);
  const [height, width] = sizeOf(x);
  if (lines === height && pitch === width && top === 0 && left === 0 && step[0] * step[1] * phases === 1)
    return x;
  const y = engine.empty([planes, lines, pitch]);
  engine.launch(
    convPad,
    { stuffed: step[0] > 1 || step[1] > 1, byLine: engine.hardware.kind === "cpu" },
    { x, y },
    { planes, height, width, lines, pitch, top, left, stepY: step[0], stepX: step[1], phases },
  );
  return y;
}

/** Lines and pitch of a padded input that outputs of `size` read. */
function extent(
  size: Pair,
  [kh, kw]: Pair,
  { stride, dilation }: Pick<ConvAttrs, "stride" | "dilation">,
  columns: number,
): Pair {
  const lines = (size[0] - 1) * stride[0] + (kh - 1) * dilation[0] + 1;
  const tiles = Math.ceil(size[1] / columns);
  const last = { kw, strideX: stride[1], dilationX: dilation[1], columns };
  return [lines, up4((tiles - 1) * columns * stride[1] + up4(rowSpan(last)))];
}

/** A convolution whose taps may be flipped and inputs stuffed, for the input gradient. */
interface Convolution extends ConvProblem {
  readonly attrs: ConvAttrs;
  /** Weights are [ci, co, kh, kw] and their taps read backwards. */
  readonly flip: boolean;
  /** Of the epilogue. */
  readonly rescale: number;
}

function convolutionOf(
  [x, w]: Inputs,
  [oh, ow]: Pair,
  attrs: ConvAttrs,
  { flip = false, stuffing = [1, 1] as Pair, rescale = 1 } = {},
): Convolution {
  const [outer, inner] = w!.shape as [number, number];
  const [co, ci] = flip ? [inner, outer] : [outer, inner];
  const half = x!.dtype === "f16";
  return { n: x!.dim(0), ci, co, oh, ow, kernel: sizeOf(w!), attrs, flip, stuffing, half, rescale };
}

/** Without the batch: an image's numbers may not depend on those beside it. */
const convolution: Tunable<Convolution, ConvWay> = {
  family: "conv2d",
  classOf: ({ ci, co, oh, ow, kernel, attrs: { stride, dilation }, stuffing: [stepY, stepX], flip, half }) =>
    `${ci}->${co} ${kernel.join("x")} to ${oh}x${ow} stride ${stride} dilation ${dilation}` +
    `${stepY * stepX > 1 ? ` stuffed ${stepY},${stepX}` : ""}${flip && half ? " flipped" : ""}`,
  heuristic: convWay,
  ways: convWays,
  run: (engine, inputs, problem, way) => {
    if (way.kernel === "winograd") {
      const { n, ci, co, oh, ow } = problem;
      return engine.standingFor(2 * n * ci * co * oh * ow * 9, () => byWinograd(engine, inputs, problem));
    }
    if (way.kernel === "matrix") return byMatrix(engine, inputs, problem, way);
    if (way.kernel === "gemm") {
      const { kernel: _, ...tile } = way;
      return byGemm(engine, inputs, problem, tile);
    }
    const { kernel: _, ...tile } = way;
    return byRows(engine, inputs, problem, tile);
  },
};

/** The packed weights and the tiles over a padded copy of x. */
function byRows(
  engine: Engine,
  [x, w, bias, residual]: Inputs,
  problem: Convolution,
  tile: ConvTile,
): Tensor {
  const { n, ci, co, oh, ow, kernel, attrs, flip, stuffing, rescale } = problem;
  const [kh, kw] = kernel;
  const [lines, pitch] = extent([oh, ow], kernel, attrs, tile.columns);
  const xp = padded(engine, x!, lines, pitch, attrs.padding[0], attrs.padding[2], stuffing);
  const coVecs = Math.ceil(co / 4);
  const wp = engine.empty([ci, kh, kw, coVecs * 4]);
  const [outer, inner] = w!.shape as [number, number];
  engine.launch(convPackWeight, { flip }, { w: w!, y: wp }, { co: outer, ci: inner, kh, kw });
  const y = engine.empty([n, co, oh, ow]);
  engine.launch(
    convRows,
    { kw, strideX: attrs.stride[1], dilationX: attrs.dilation[1], ...tile, residual: residual !== undefined },
    { x: xp, w: wp, bias: bias ?? wp, residual: residual ?? wp, y },
    {
      n,
      ci,
      co,
      oh,
      ow,
      lines,
      pitch,
      coVecs,
      kh,
      strideY: attrs.stride[0],
      dilationY: attrs.dilation[0],
      useBias: bias ? 1 : 0,
      biasPitch: bias?.rank === 2 ? co : 0,
      rescale,
    },
  );
  return y;
}

/** One matrix product, of inputs gathered as they are needed. */
function byGemm(engine: Engine, [x, w, bias, residual]: Inputs, problem: Convolution, tile: Tile): Tensor {
  const { n, ci, co, oh, ow, kernel, attrs, flip, stuffing, rescale } = problem;
  const [kh, kw] = kernel;
  const [height, width] = sizeOf(x!);
  const [[strideY, strideX], [dilationY, dilationX], [stepY, stepX]] = [
    attrs.stride,
    attrs.dilation,
    stuffing,
  ];
  const [top, , left] = attrs.padding;
  const wp = engine.empty([kh * kw, ci, up4(co)]);
  engine.launch(convGemmWeight, { flip }, { w: w!, y: wp }, { co, ci, taps: kh * kw });
  const y = engine.empty([n, co, oh, ow]);
  engine.launch(
    convGemm,
    { ...tile, residual: residual !== undefined, vec: (oh * ow) % 4 === 0 },
    { x: x!, w: wp, bias: bias ?? wp, residual: residual ?? wp, y },
    {
      ...{ m: co, n: n * oh * ow, ci, height, width, oh, ow, kh, kw },
      ...{ strideY, strideX, dilationY, dilationX, top, left, stepY, stepX },
      useBias: bias ? 1 : 0,
      biasPitch: bias?.rank === 2 ? co : 0,
      rescale,
    },
  );
  return y;
}

/** Bytes of transformed inputs at once: more images at once are no faster, and take memory. */
const AT_ONCE = 2 ** 25;

/** Transforms of some images after the other, and the products of all their tiles at once. */
function byWinograd(engine: Engine, [x, w, bias, residual]: Inputs, problem: Convolution): Tensor {
  const { n, ci, co, oh, ow, attrs, flip, rescale } = problem;
  const [dilationY, dilationX] = attrs.dilation;
  const { lines, fours } = winogradTiles({ oh, ow, dilationY, dilationX });
  const coPitch = up4(co);
  const u = engine.empty([16, ci, coPitch], "f32");
  engine.launch(winogradWeight, { flip }, { w: w!, u }, { ci, co });
  const y = engine.empty([n, co, oh, ow]);
  const vec = engine.hardware.kind === "gpu" && dilationX === 1 && ow % 4 === 0;
  const most = Math.max(1, Math.floor(Math.min(engine.maxBinding, AT_ONCE) / winogradBytes(problem)));
  for (let first = 0; first < n; first += most) {
    const images = Math.min(most, n - first);
    const places = { images, first, lines, fours, dilationY, dilationX };
    const tiles = 4 * images * lines * fours;
    const v = engine.empty([16, ci, tiles], "f32");
    const [height, width] = sizeOf(x!);
    const [top, , left] = attrs.padding;
    engine.launch(winogradInput, {}, { x: x!, v }, { ...places, ci, height, width, top, left });
    const m = engine.empty([16, co, tiles], "f32");
    const a = { t: u, batch: ci * coPitch, row: 1, column: coPitch };
    const b = { t: v, batch: ci * tiles, row: tiles, column: 1 };
    const sizes = { batch: 16, m: co, n: tiles, k: ci };
    multiply(engine, a, b, m, sizes, matmulWay(engine.hardware, sizes));
    engine.launch(
      winogradOutput,
      { residual: residual !== undefined, vec },
      { m, bias: bias ?? u, residual: residual ?? u, y },
      { ...places, co, oh, ow, useBias: bias ? 1 : 0, biasPitch: bias?.rank === 2 ? co : 0, rescale },
    );
    for (const t of [v, m]) t.dispose();
  }
  return y;
}

/** rescale without a residual is left to `scale`. */
const convOp = defineOp<ConvAttrs & { readonly rescale?: number }>({
  name: "conv2d",
  forward: (engine, inputs, { rescale = 1, ...attrs }) => {
    const size = outSize(sizeOf(inputs[0]!), sizeOf(inputs[1]!), attrs);
    return chosen(engine, convolution, inputs, convolutionOf(inputs, size, attrs, { rescale }));
  },
  vjp: ({ inputs: [x, w], dy, shapes, wants, attrs: { rescale = 1, ...attrs } }) => {
    const g = rescale === 1 ? dy : scale(dy, rescale);
    return [
      wants[0]
        ? conv2dInputGrad(g, w!, { ...attrs, inputSize: [shapes[0]![2]!, shapes[0]![3]!] })
        : undefined,
      wants[1]
        ? conv2dWeightGrad(g, x!, { ...attrs, kernelSize: [shapes[1]![2]!, shapes[1]![3]!] })
        : undefined,
      wants[2] ? sum(g, { axis: shapes[2]!.length === 2 ? [2, 3] : [0, 2, 3] }) : undefined,
      wants[3] ? g : undefined,
    ];
  },
  saves: { inputs: [0, 1] },
  oracle: ([x, w, bias, residual], { rescale = 1, ...attrs }) => {
    const y = oracle.conv2d(x!, w!, bias ?? null, attrs);
    return residual ? oracle.addRescaled(y, residual, rescale) : y;
  },
});

export type InputGradAttrs = ConvAttrs & { readonly inputSize: Pair };

const inputGradOp = defineOp<InputGradAttrs>({
  name: "conv2d_input_grad",
  // A stride-1 convolution of dy, with zeros stuffed between for a stride, by the flipped weight.
  forward: (engine, inputs, { stride, padding, dilation, inputSize }) => {
    const [kh, kw] = sizeOf(inputs[1]!);
    const top = dilation[0] * (kh - 1) - padding[0];
    const left = dilation[1] * (kw - 1) - padding[2];
    const attrs: ConvAttrs = { stride: [1, 1], padding: [top, 0, left, 0], dilation };
    return chosen(
      engine,
      convolution,
      inputs,
      convolutionOf(inputs, inputSize, attrs, { flip: true, stuffing: stride }),
    );
  },
  vjp: ({ inputs: [dy, w], dy: g, shapes, wants, attrs }) => [
    wants[0] ? convOp(g.engine, [g, w!], attrs) : undefined,
    wants[1]
      ? conv2dWeightGrad(dy!, g, { ...attrs, kernelSize: [shapes[1]![2]!, shapes[1]![3]!] })
      : undefined,
  ],
  saves: { inputs: [0, 1] },
  oracle: ([dy, w], attrs) => oracle.conv2dInputGrad(dy!, w!, attrs),
});

export type WeightGradAttrs = ConvAttrs & { readonly kernelSize: Pair };

interface WeightSums extends WeightGradAttrs {
  readonly n: number;
  readonly co: number;
  readonly ci: number;
  readonly kh: number;
  readonly kw: number;
  /** Of dy. */
  readonly size: Pair;
}

/** Sums over the batch: its class knows how large that is. */
const weightSums: Tunable<WeightSums, ConvWeightWay> = {
  family: "conv2d_weight_grad",
  classOf: ({ n, ci, co, kh, kw, size: [oh, ow], stride, dilation }) =>
    `${bucket(n)} of ${ci}->${co} ${kh}x${kw} from ${oh}x${ow} stride ${stride} dilation ${dilation}`,
  heuristic: convWeightWay,
  ways: convWeightWays,
  run: (engine, inputs, sums, way) => {
    if (way.kernel === "gemm") {
      const { kernel: _, ...tile } = way;
      return weightsByGemm(engine, inputs, sums, tile);
    }
    const { kernel: _, ...tile } = way;
    return weightsByRows(engine, inputs, sums, tile);
  },
};

function weightsByRows(
  engine: Engine,
  [dy, x]: Inputs,
  attrs: WeightSums,
  { khs, ...tile }: ConvWeightTile,
): Tensor {
  const { n, ci, co, kh, kw, size } = attrs;
  // Columns dealt out by their place modulo the dilation turn it into neighbours, and dilated rows into farther ones.
  const phases = attrs.stride[0] * attrs.stride[1] === 1 ? attrs.dilation[1] : 1;
  const dilation: Pair = [attrs.dilation[0], attrs.dilation[1] / phases];
  const columns = Math.ceil(size[1] / phases);
  const [lines, pitch] = extent(
    [size[0], columns],
    attrs.kernelSize,
    { stride: attrs.stride, dilation },
    tile.columns,
  );
  const dyPitch = Math.ceil(columns / tile.columns) * tile.columns;
  const xp = padded(engine, x!, lines * phases, pitch, attrs.padding[0], attrs.padding[2], [1, 1], phases);
  const dyp = padded(engine, dy!, size[0] * phases, dyPitch, 0, 0, [1, 1], phases);
  const groups = Math.ceil((ci * kh) / khs / tile.lanes) * Math.ceil(co / tile.rows);
  const splits = Math.min(n, Math.max(1, Math.ceil((engine.hardware.kind === "cpu" ? 16 : 512) / groups)));
  const parts = engine.empty([splits, co, ci, kh, kw]);
  engine.launch(
    convWeightRows,
    { kw, strideX: attrs.stride[1], dilationX: dilation[1], khs, ...tile },
    { x: xp, dy: dyp, dw: parts },
    {
      n,
      ci,
      co,
      oh: size[0] * phases,
      lines: lines * phases,
      pitch,
      dyPitch,
      kh,
      strideY: attrs.stride[0],
      dilationY: dilation[0] * phases,
      splits,
    },
  );
  const total = splits === 1 ? parts : reduceAxes(engine, "sum", parts, [0]);
  return engine.track(total.alias([co, ci, kh, kw]));
}

/** Workgroups to split a sum for. */
const BUSY = 264;
/** Slabs of positions that a workgroup takes at least. */
const LEAST_SLABS = 4;

/** One matrix product over all positions, split until a GPU is busy. */
function weightsByGemm(engine: Engine, [dy, x]: Inputs, sums: WeightSums, tile: Tile): Tensor {
  const { n, ci, co, kh, kw, size, stride, dilation, padding } = sums;
  const [[oh, ow], [height, width]] = [size, sizeOf(x!)];
  const [k, columns] = [n * oh * ow, kh * kw * up4(ci)];
  const most = Math.max(1, Math.ceil(BUSY / tileCount(1, co, columns, tile)));
  const slabs = Math.max(LEAST_SLABS, Math.ceil(k / most / tile.slab));
  const span = slabs * tile.slab;
  const splits = Math.ceil(k / span);
  const parts = engine.empty([splits, co, kh * kw, up4(ci)], "f32");
  engine.launch(
    convWeightGemm,
    { ...tile, vec: ow % 4 === 0 },
    { dy: dy!, x: x!, parts },
    {
      ...{ m: co, n: columns, k, span, ci, height, width, oh, ow, kw },
      ...{ strideY: stride[0], strideX: stride[1], dilationY: dilation[0], dilationX: dilation[1] },
      ...{ top: padding[0], left: padding[2] },
    },
  );
  const dw = engine.empty([co, ci, kh, kw]);
  engine.launch(convWeightSum, {}, { parts, dw }, { splits, co, ci, taps: kh * kw });
  return dw;
}

const weightGradOp = defineOp<WeightGradAttrs>({
  name: "conv2d_weight_grad",
  forward: (engine, inputs, attrs) => {
    const [dy, x] = inputs;
    const [kh, kw] = attrs.kernelSize;
    const problem = { ...attrs, n: dy!.dim(0), co: dy!.dim(1), ci: x!.dim(1), kh, kw, size: sizeOf(dy!) };
    return chosen(engine, weightSums, inputs, problem);
  },
  vjp: ({ inputs: [dy, x], dy: g, shapes, wants, attrs }) => [
    wants[0] ? convOp(g.engine, [x!, g], attrs) : undefined,
    wants[1] ? conv2dInputGrad(dy!, g, { ...attrs, inputSize: [shapes[1]![2]!, shapes[1]![3]!] }) : undefined,
  ],
  saves: { inputs: [0, 1] },
  oracle: ([dy, x], attrs) => oracle.conv2dWeightGrad(dy!, x!, attrs),
});

/**
 * dL/dx [n,ci,h,w] from dy [n,co,oh,ow] and weight [co,ci,kh,kw]. Also the transposed convolution. Throws UsageError
 * when dy is not what a convolution of that input size gives.
 */
export function conv2dInputGrad(dy: Tensor, w: Tensor, attrs: InputGradAttrs): Tensor {
  requireGradient("conv2dInputGrad", dy, w.dim(0), outSize(attrs.inputSize, sizeOf(w), attrs));
  return inputGradOp(dy.engine, [dy, w], attrs);
}

/** dL/dw [co,ci,kh,kw] from dy [n,co,oh,ow] and x [n,ci,h,w]. Throws UsageError as conv2dInputGrad does. */
export function conv2dWeightGrad(dy: Tensor, x: Tensor, attrs: WeightGradAttrs): Tensor {
  requireGradient("conv2dWeightGrad", dy, dy.dim(1), outSize(sizeOf(x), attrs.kernelSize, attrs), x.dim(0));
  return weightGradOp(dy.engine, [dy, x], attrs);
}

function requireGradient(who: string, dy: Tensor, co: number, size: Pair, n = dy.dim(0)): void {
  const expected = [n, co, ...size];
  if (!sameShape(dy.shape, expected))
    throw new UsageError(`${who}: got dy ${showShape(dy.shape)}, expected ${showShape(expected)}`);
}

export const pair = (v: number | Pair): Pair => (typeof v === "number" ? [v, v] : v);

export function fourPads(p: number | Pair | Padding): Padding {
  if (typeof p === "number") return [p, p, p, p];
  return p.length === 2 ? [p[0], p[0], p[1], p[1]] : p;
}

/**
 * Cross-correlation of x [n,ci,h,w] with weight [co,ci,kh,kw] plus bias, [co] or [n,co] -> [n,co,oh,ow], as torch's
 * conv2d with groups = 1. With `residual` and `rescale`: (conv + bias + residual) rescale, in the same kernel.
 * Throws UsageError for shapes that do not fit, whole numbers below 1, or an empty output.
 */
export function conv2d(
  x: Tensor,
  weight: Tensor,
  bias?: Tensor,
  options: ConvOptions & Omit<Epilogue, "bias"> = {},
): Tensor {
  const { residual, rescale = 1 } = options;
  const attrs = requireConv("conv2d", x, weight, options);
  const co = weight.dim(0);
  if (x.dim(1) !== weight.dim(1))
    throw new UsageError(
      `conv2d: got x ${showShape(x.shape)} with weight ${showShape(weight.shape)}, expected weight ` +
        `[${co},${x.dim(1)},kh,kw]; build the layer with inChannels: ${x.dim(1)}`,
    );
  if (bias) requireBias("conv2d", bias, co, x.dim(0));
  const size = outSize(sizeOf(x), sizeOf(weight), attrs);
  if (size[0] < 1 || size[1] < 1)
    throw new UsageError(
      `conv2d: got x ${showShape(x.shape)} with kernel ${sizeOf(weight).join("x")}, padding [${attrs.padding}], ` +
        `dilation [${attrs.dilation}]: the kernel does not fit; pad more or use a larger image`,
    );
  const shape = [x.dim(0), co, ...size];
  if (residual && !sameShape(residual.shape, shape))
    throw new UsageError(
      `conv2d: got residual ${showShape(residual.shape)}, expected the output's shape ${showShape(shape)}`,
    );
  if (isPointwise(weight, attrs)) return rescaled(pointwise(x, weight, bias), residual, rescale);
  if (residual) return convOp(x.engine, [x, weight, bias, residual], { ...attrs, rescale });
  return rescaled(convOp(x.engine, [x, weight, bias], attrs), undefined, rescale);
}

const rescaled = (y: Tensor, residual: Tensor | undefined, rescale: number): Tensor => {
  const sum = residual ? add(y, residual) : y;
  return rescale === 1 ? sum : scale(sum, rescale);
};

const isPointwise = (w: Tensor, { stride, padding }: ConvAttrs): boolean =>
  w.dim(2) * w.dim(3) * stride[0] * stride[1] === 1 && padding.every((p) => p === 0);

/** A 1 x 1 convolution is a matrix product at every pixel. */
function pointwise(x: Tensor, weight: Tensor, bias: Tensor | undefined): Tensor {
  const [n, ci, h, w] = x.shape as [number, number, number, number];
  const co = weight.dim(0);
  const y = matmul(reshape(weight, [co, ci]), reshape(x, [n, ci, h * w]));
  return reshape(bias ? add(y, reshape(bias, [...bias.shape, 1])) : y, [n, co, h, w]);
}

export interface ConvTransposeOptions extends ConvOptions {
  outputPadding?: number | Pair;
}

/**
 * Transposed convolution of x [n,ci,h,w] with weight [ci,co,kh,kw] -> [n,co,H,W],
 * H = (h-1) stride - top - bottom + dilation (kh-1) + outputPadding + 1, as torch's conv_transpose2d.
 * Throws UsageError as conv2d does, and for an outputPadding that is not below the stride.
 */
export function convTranspose2d(
  x: Tensor,
  weight: Tensor,
  bias?: Tensor,
  options: ConvTransposeOptions = {},
): Tensor {
  const attrs = requireConv("convTranspose2d", x, weight, options);
  if (bias) requireBias("convTranspose2d", bias, weight.dim(1));
  if (x.dim(1) !== weight.dim(0))
    throw new UsageError(
      `convTranspose2d: got x ${showShape(x.shape)} with weight ${showShape(weight.shape)}, expected weight [${x.dim(1)},co,kh,kw]`,
    );
  const extra = pair(options.outputPadding ?? 0);
  const {
    stride,
    padding: [t, b, l, r],
    dilation,
  } = attrs;
  if (extra.some((v, i) => !Number.isInteger(v) || v < 0 || v >= stride[i]!))
    throw new UsageError(
      `convTranspose2d: got outputPadding [${extra}], expected whole numbers from 0 to below the stride [${stride}]`,
    );
  const inputSize: Pair = [
    (x.dim(2) - 1) * stride[0] - t - b + dilation[0] * (weight.dim(2) - 1) + extra[0] + 1,
    (x.dim(3) - 1) * stride[1] - l - r + dilation[1] * (weight.dim(3) - 1) + extra[1] + 1,
  ];
  if (inputSize.some((d) => d < 1))
    throw new UsageError(
      `convTranspose2d: got x ${showShape(x.shape)} with kernel ${sizeOf(weight).join("x")}, padding [${attrs.padding}]: ` +
        "the padding crops all of the output; pad less",
    );
  const y = conv2dInputGrad(x, weight, { ...attrs, inputSize });
  return bias ? add(y, reshape(bias, [-1, 1, 1])) : y;
}

/** `n`: how many samples may have a bias of their own. */
function requireBias(who: string, bias: Tensor, co: number, n?: number): void {
  requireFloat(who, bias);
  const each = n !== undefined && bias.rank === 2 && bias.dim(0) === n;
  if (!(bias.rank === 1 || each) || bias.dim(-1) !== co)
    throw new UsageError(
      `${who}: got bias ${showShape(bias.shape)}, expected [${co}]${n === undefined ? "" : ` or [${n},${co}]`}`,
    );
}

function requireConv(who: string, x: Tensor, weight: Tensor, options: ConvOptions): ConvAttrs {
  requireFloat(who, x);
  requireFloat(who, weight);
  if (x.rank !== 4 || weight.rank !== 4)
    throw new UsageError(
      `${who}: got x ${showShape(x.shape)}, weight ${showShape(weight.shape)}, expected rank 4 both`,
    );
  const attrs = {
    stride: pair(options.stride ?? 1),
    padding: fourPads(options.padding ?? 0),
    dilation: pair(options.dilation ?? 1),
  };
  for (const name of ["stride", "dilation"] as const)
    if (attrs[name].some((v) => !Number.isInteger(v) || v < 1))
      throw new UsageError(`${who}: got ${name} [${attrs[name]}], expected whole numbers of at least 1`);
  if (attrs.padding.some((v) => !Number.isInteger(v)))
    throw new UsageError(`${who}: got padding [${attrs.padding}], expected whole numbers`);
  return attrs;
}
