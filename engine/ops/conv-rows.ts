import { accumulate } from "../../kernels/accumulate.ts";
import { broadcasts } from "../../kernels/broadcast.ts";
import {
  heldAtOnce,
  paddedSize,
  rowsBytes,
  weightCopies,
  weightRowsBytes,
} from "../../kernels/conv-copies.ts";
import { convPad, convPadPair, convPadVariant } from "../../kernels/conv-pad.ts";
import { readsBare, type Taps } from "../../kernels/conv-span.ts";
import type { ConvTile, ConvWeightTile } from "../../kernels/conv-ways.ts";
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

/** What is read of x: a copy of `lines` rows of `pitch`, its first element at (top, left). */
interface Copy {
  readonly x: Tensor;
  readonly lines: number;
  readonly pitch: number;
  readonly top: number;
  readonly left: number;
}

/** How far apart copies have x's neighbours, and over how many lines its columns are dealt out. */
interface Apart {
  readonly step?: Pair;
  readonly phases?: number;
}

/** Padded copies, by one launch where there are two; x itself where its copy would be no other. */
function padded(engine: Engine, copies: readonly Copy[], { step = [1, 1], phases = 1 }: Apart): Tensor[] {
  const near = step[0] * step[1] * phases === 1;
  const layouts = copies.map(({ x, ...copy }) => {
    const [height, width] = sizeOf(x);
    const { lines, pitch, top, left } = copy;
    const same = near && lines === height && pitch === width && top === 0 && left === 0;
    const planes = x.dim(0) * x.dim(1);
    // A copy rounds nothing, under autocast neither.
    return { x, y: same ? x : engine.empty([planes, lines, pitch], x.dtype), planes, height, width, ...copy };
  });
  const apart = { stepY: step[0], stepX: step[1], phases };
  const variant = convPadVariant(engine.hardware, apart);
  const [first, second] = layouts.filter(({ x, y }) => x !== y);
  if (first && second) {
    const { x: x0, y: y0, ...layout0 } = first;
    const { x: x1, y: y1, ...layout1 } = second;
    const params = { ...ending(layout0, "0"), ...ending(layout1, "1"), phases };
    engine.launch(convPadPair, { by: variant.by }, { x0, y0, x1, y1 }, params);
  } else if (first) {
    const { x, y, ...layout } = first;
    engine.launch(convPad, variant, { x, y }, { ...layout, ...apart });
  }
  return layouts.map(({ y }) => y);
}

/** Names that end so. */
const ending = <N extends string, K extends string>(values: Record<N, number>, k: K) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [`${name}${k}`, value])) as Record<
    `${N}${K}`,
    number
  >;

interface Seeing extends Apart {
  readonly padding: ConvAttrs["padding"];
  /** Columns that come out. */
  readonly outputs: number;
  /** Lines and pitch of a copy. */
  readonly copy: Pair;
}

/** What tiles read of x: x itself where they can, else a padded copy; `top` lines of zeros above are left to them. */
function seenBy(
  engine: Engine,
  x: Tensor,
  taps: Taps,
  { padding, outputs, copy, step = [1, 1], phases = 1 }: Seeing,
) {
  const [height, width] = sizeOf(x);
  if (step[0] * step[1] * phases === 1 && readsBare(engine.hardware, taps, { padding, width, outputs }))
    return { bare: true, copy: { x, lines: height, pitch: width, top: 0, left: 0 }, top: padding[0] };
  const [lines, pitch] = copy;
  return { bare: false, copy: { x, lines, pitch, top: padding[0], left: padding[2] }, top: 0 };
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
  const apart = { step: stuffing };
  const seen = seenBy(engine, x!, taps, { padding: attrs.padding, outputs: ow, copy, ...apart });
  const [xp] = padded(engine, [seen.copy], apart) as [Tensor];
  engine.launch(
    convRows,
    {
      ...{ ...taps, ...tile, bare: seen.bare },
      broadcast: broadcasts(engine.hardware),
      residual: residual !== undefined,
    },
    { x: xp, w: wp!, bias: bias ?? wp!, residual: residual ?? wp!, y },
    {
      n: y.dim(0),
      ci,
      co,
      oh,
      ow,
      lines: seen.copy.lines,
      pitch: seen.copy.pitch,
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
  const dyCopy = { x: dy!, lines: oh, pitch: dyPitch, top: 0, left: 0 };
  const [xp, dyp] = padded(engine, [seen.copy, dyCopy], { phases }) as [Tensor, Tensor];
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
    { x: xp, dy: dyp, dw: parts },
    {
      n,
      ci,
      co,
      oh,
      lines: seen.copy.lines,
      pitch: seen.copy.pitch,
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
