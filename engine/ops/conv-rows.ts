import { broadcasts } from "../../kernels/broadcast.ts";
import { convPad, convPadVariant } from "../../kernels/conv-pad.ts";
import type { ConvTile, ConvWeightTile } from "../../kernels/conv-ways.ts";
import { convPackWeight, convRows, convWeightRows, rowSpan } from "../../kernels/conv2d.ts";
import type { Engine } from "../engine.ts";
import type { Inputs } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import type { Convolution, WeightSums } from "./conv-problems.ts";
import { type ConvAttrs, type Pair, sizeOf, up4 } from "./conv-shapes.ts";
import { reduceAxes } from "./reduce.ts";

// Convolutions by rows of a padded copy: convRows and convWeightRows.

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
  const apart = { stepY: step[0], stepX: step[1], phases };
  const y = engine.empty([planes, lines, pitch], x.dtype); // a copy rounds nothing, under autocast neither
  engine.launch(
    convPad,
    convPadVariant(engine.hardware, apart),
    { x, y },
    { planes, height, width, lines, pitch, top, left, ...apart },
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

/** The packed weights and the tiles over a padded copy of x. */
export function byRows(
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
  const wp = engine.empty([ci, kh, kw, coVecs * 4], w!.dtype);
  const [outer, inner] = w!.shape as [number, number];
  engine.launch(convPackWeight, { flip }, { w: w!, y: wp }, { co: outer, ci: inner, kh, kw });
  const y = engine.empty([n, co, oh, ow]);
  engine.launch(
    convRows,
    {
      ...{ kw, strideX: attrs.stride[1], dilationX: attrs.dilation[1], ...tile },
      broadcast: broadcasts(engine.hardware),
      residual: residual !== undefined,
    },
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

/** Parts of the batch apart, and their sum. */
export function weightsByRows(
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
  const parts = engine.empty([splits, co, ci, kh, kw], "f32");
  engine.launch(
    convWeightRows,
    {
      ...{ kw, strideX: attrs.stride[1], dilationX: dilation[1], khs, ...tile },
      broadcast: broadcasts(engine.hardware),
    },
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
