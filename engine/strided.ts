import { MAX_RANK } from "../kernels/binary.ts";
import { stridedCopy } from "../kernels/copy.ts";
import { runLength } from "../kernels/runs.ts";
import { transposedCopy } from "../kernels/transpose.ts";
import type { Engine } from "./engine.ts";
import { UsageError } from "./errors.ts";
import type { ScalarLike } from "./scalar.ts";
import { type Collapsed, collapse, shapeSize } from "./shapes.ts";
import type { Shape, Tensor } from "./tensor.ts";

/** Walks `dims`, copying x[xStart + i . s] to y[yStart + i . t]. Throws UsageError past six axes that do not join. */
export function copyStrided(
  engine: Engine,
  x: Tensor,
  y: Tensor,
  dims: Shape,
  s: Shape,
  t: Shape,
  xStart: ScalarLike,
  yStart: ScalarLike,
): void {
  const walk = collapse(dims, [s, t]);
  const rank = walk.dims.length;
  if (rank > MAX_RANK)
    throw new UsageError(
      `copy: got ${rank} axes in different order, expected at most ${MAX_RANK}; reshape first`,
    );
  const fours = inFours(walk, xStart, yStart);
  const cpu = engine.hardware.kind === "cpu";
  const turned = fours ? undefined : asSquares(walk, cpu ? 4 : LEAST);
  if (turned) {
    const { batch, ...rest } = { ...turned, xStart, yStart };
    const whole = Object.values(rest).every((v) => typeof v === "number" && v % 4 === 0);
    if (whole || !cpu) {
      engine.launch(transposedCopy, { by: cpu ? "fours" : "square" }, { x, y }, { batch, ...rest });
      return;
    }
  }
  const vec = fours !== undefined;
  const { dims: d, strides, starts } = fours ?? { ...walk, starts: [xStart, yStart] };
  const params: Record<string, ScalarLike> = { count: shapeSize(d), xStart: starts[0]!, yStart: starts[1]! };
  for (let k = 0; k < MAX_RANK; k++) {
    params[`d${k}`] = d[k] ?? 1;
    params[`s${k}`] = (strides[0]![k] ?? 0) >>> 0;
    params[`t${k}`] = strides[1]![k] ?? 0;
  }
  engine.launch(
    stridedCopy,
    { rank, vec, run: runLength(engine.hardware) },
    { x, y },
    params as Record<keyof typeof stridedCopy.params, ScalarLike>,
  );
}

/** The same walk in steps of four neighbours, where both sides have whole fours everywhere. */
function inFours({ dims, strides }: Collapsed, ...starts: readonly ScalarLike[]) {
  const last = dims.length - 1;
  const lengths = [dims[last]!, ...strides.flatMap((s) => s.slice(0, last)), ...starts];
  const whole =
    strides.every((s) => s[last] === 1) && lengths.every((v) => typeof v === "number" && v % 4 === 0);
  if (!whole) return undefined;
  return {
    dims: dims.map((d, k) => (k === last ? d / 4 : d)),
    strides: strides.map((s) => s.map((step, k) => (k === last ? 1 : step / 4))),
    starts: starts.map((at) => Number(at) / 4),
  };
}

/** Fewer neighbours than this fill no square of a GPU's, and are found in the caches. */
const LEAST = 16;

/** The walk as squares to be turned around: x's neighbours lie along another axis than y's, with one more axis at most. */
function asSquares({ dims, strides: [s, t] }: Collapsed, least: number) {
  const last = dims.length - 1;
  const other = s!.indexOf(1);
  const rest = dims.flatMap((_, k) => (k === last || k === other ? [] : [k]));
  if (t![last] !== 1 || other < 0 || other === last || rest.length > 1) return undefined;
  if (s![last] === 0 || dims[last]! < least || dims[other]! < least) return undefined;
  const [b] = rest;
  return {
    batch: b === undefined ? 1 : dims[b]!,
    m: dims[other]!,
    n: dims[last]!,
    xBatch: b === undefined ? 0 : s![b]! >>> 0,
    xPitch: s![last]! >>> 0,
    yBatch: b === undefined ? 0 : t![b]!,
    yPitch: t![other]!,
  };
}
