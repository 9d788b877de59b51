import { accumulate } from "../../kernels/accumulate.ts";
import { broadcasts } from "../../kernels/broadcast.ts";
import {
  heldAtOnce,
  paddedSize,
  rowsBytes,
  weightCopies,
  weightRowsBytes,
} from "../../kernels/conv-copies.ts";
import { convPad, convPadVariant } from "../../kernels/conv-pad.ts";
import { readsBare, type Taps } from "../../kernels/conv-span.ts";
import type { ConvTile, ConvWeightTile } from "../../kernels/conv-tiles.ts";
import { convWeightRows, freshRows } from "../../kernels/conv-weight-rows.ts";
import { convRows } from "../../kernels/conv2d.ts";
import { vecsPerThread } from "../../kernels/lanewise.ts";
import type { Engine } from "../engine.ts";
import type { Inputs } from "../op.ts";
import { bytesOf, type Tensor } from "../tensor.ts";
import { packed } from "./conv-packs.ts";
import type { Convolution, WeightSums } from "./conv-problems.ts";
import { type ConvAttrs, type Pair, sizeOf } from "./conv-shapes.ts";
import { reduceAxes } from "./reduce.ts";
import { inTurns } from "./turns.ts";

// Convolutions by rows of x or of a padded copy: convRows and convWeightRows.

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

interface Seeing {
  readonly padding: ConvAttrs["padding"];
  /** Columns that come out. */
  readonly outputs: number;
  /** Lines and pitch of a copy, and how far apart it has x's neighbours. */
  readonly copy: Pair;
  readonly step?: Pair;
  readonly phases?: number;
}

/** What tiles read of x, and how it stands there: x itself where they can, else a padded copy. */
function seenBy(
  engine: Engine,
  x: Tensor,
  taps: Taps,
  { padding, outputs, copy, step = [1, 1], phases = 1 }: Seeing,
) {
  const [height, width] = sizeOf(x);
  if (step[0] * step[1] * phases === 1 && readsBare(engine.hardware, taps, { padding, width, outputs }))
    return { x, bare: true, lines: height, pitch: width, top: padding[0] };
  const [lines, pitch] = copy;
  const y = padded(engine, x, lines, pitch, padding[0], padding[2], step, phases);
  return { x: y, bare: false, lines, pitch, top: 0 };
}

/** The packed weights and the tiles over a padded copy of x, of as many images at once as a binding holds. */
export function byRows(
  engine: Engine,
  [x, w, bias, residual, pack]: Inputs,
  problem: Convolution,
  tile: ConvTile,
): Tensor {
  const { n, co, oh, ow, flip } = problem;
  const wp = packed(engine, w!, { kernel: "rows" }, { flip, pack });
  const y = engine.empty([n, co, oh, ow]);
  const atOnce = heldAtOnce(engine.hardware, rowsBytes(problem, tile.columns, bytesOf(x!.dtype)));
  const own = bias?.rank === 2 ? bias : undefined; // of each image
  inTurns(engine, { samples: n, atOnce }, [x, own, residual], [y], ([x, own, residual], [y]) =>
    tilesOver(engine, [x, wp, own ?? bias, residual], y!, problem, tile),
  );
  return y;
}

/** y from x and packed weights, of some images. */
function tilesOver(
  engine: Engine,
  [x, wp, bias, residual]: Inputs,
  y: Tensor,
  { ci, co, oh, ow, kernel, attrs, stuffing, rescale }: Convolution,
  tile: ConvTile,
): void {
  const [kh, kw] = kernel;
  const taps = { kw, strideX: attrs.stride[1], dilationX: attrs.dilation[1] };
  const copy = paddedSize([oh, ow], kernel, attrs, tile.columns);
  const seen = seenBy(engine, x!, taps, { padding: attrs.padding, outputs: ow, copy, step: stuffing });
  engine.launch(
    convRows,
    {
      ...{ ...taps, ...tile, bare: seen.bare },
      broadcast: broadcasts(engine.hardware),
      residual: residual !== undefined,
    },
    { x: seen.x, w: wp!, bias: bias ?? wp!, residual: residual ?? wp!, y },
    {
      n: y.dim(0),
      ci,
      co,
      oh,
      ow,
      lines: seen.lines,
      pitch: seen.pitch,
      top: seen.top,
      coVecs: Math.ceil(co / 4),
      kh,
      strideY: attrs.stride[0],
      dilationY: attrs.dilation[0],
      useBias: bias ? 1 : 0,
      biasPitch: bias?.rank === 2 ? co : 0,
      rescale,
    },
  );
}

/** Parts of the batch apart, and their sum; beyond what a binding holds of the images, the sums of some after the other. */
export function weightsByRows(
  engine: Engine,
  [dy, x]: Inputs,
  sums: WeightSums,
  tile: ConvWeightTile,
): Tensor {
  const { n, ci, co, kh, kw } = sums;
  const atOnce = heldAtOnce(engine.hardware, weightRowsBytes(sums, tile.columns));
  if (atOnce >= n) return engine.track(someWeights(engine, [dy, x], sums, tile).alias([co, ci, kh, kw]));
  const dw = engine.empty([co, ci, kh, kw], "f32");
  const vecs = vecsPerThread(engine.hardware);
  let begin = 1;
  inTurns(engine, { samples: n, atOnce }, [dy, x], [], (part) => {
    const some = someWeights(engine, part, sums, tile);
    engine.launchLinear(accumulate, { vecs }, { x: some, sum: dw }, { share: 1, begin }, dw.size);
    begin = 0;
  });
  return dw;
}

/** dw of some images. */
function someWeights(
  engine: Engine,
  [dy, x]: Inputs,
  sums: WeightSums,
  { khs, ...tile }: ConvWeightTile,
): Tensor {
  const { ci, co, kh, kw, padding, stride } = sums;
  const n = x!.dim(0);
  const copies = weightCopies(sums, tile.columns);
  const { phases, dilation } = copies;
  const taps = { kw, strideX: stride[1], dilationX: dilation[1] };
  const seen = seenBy(engine, x!, taps, { padding, outputs: sums.size[1], copy: copies.x, phases });
  const [oh, dyPitch] = copies.dy;
  const dyp = padded(engine, dy!, oh, dyPitch, 0, 0, [1, 1], phases);
  const groups = Math.ceil((ci * kh) / khs / tile.lanes) * Math.ceil(co / tile.rows);
  const busy = Math.ceil((engine.hardware.kind === "cpu" ? 16 : 512) / groups);
  const splits = Math.min(n, busy, heldAtOnce(engine.hardware, 4 * co * ci * kh * kw));
  const down = dilation[0] * phases;
  const parts = engine.empty([splits, co, ci, kh, kw], "f32");
  engine.launch(
    convWeightRows,
    {
      ...{ ...taps, khs, ...tile, bare: seen.bare },
      fresh: freshRows(khs, stride[0], down),
      broadcast: broadcasts(engine.hardware),
    },
    { x: seen.x, dy: dyp, dw: parts },
    {
      n,
      ci,
      co,
      oh,
      lines: seen.lines,
      pitch: seen.pitch,
      top: seen.top,
      dyPitch,
      kh,
      strideY: stride[0],
      dilationY: down,
      splits,
    },
  );
  return splits === 1 ? parts : reduceAxes(engine, "sum", parts, [0]);
}
