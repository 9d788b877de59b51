import { channelPieces, channelSums, sumsChannels } from "../../kernels/channel-sums.ts";
import {
  type ReduceName,
  type ReduceVariant,
  reduce,
  reduceWalker,
  reduceWalkers,
} from "../../kernels/reduce.ts";
import { chosen, type Tunable } from "../choices.ts";
import type { Engine } from "../engine.ts";
import { UsageError } from "../errors.ts";
import { defineOp } from "../op.ts";
import * as oracle from "../oracle/reduce.ts";
import * as oracleShape from "../oracle/shape.ts";
import {
  broadcastShapes,
  broadcastStrides,
  normalAxes,
  reducedShape,
  requireShape,
  sameShape,
  shapeSize,
  showShape,
  stridesOf,
} from "../shapes.ts";
import { copyStrided } from "../strided.ts";
import type { Shape, Tensor } from "../tensor.ts";
import { requireFloat } from "./require.ts";
import { scale } from "./scale.ts";

// A sum and a broadcast are each other's adjoint: <sum x, g> = <x, broadcast g>.

/** Over which axes to reduce, and what stays of them. */
export interface ReduceOptions {
  /** Axes to join, negative ones from the end; all if absent. */
  axis?: number | readonly number[];
  /** Leave joined axes with length 1. */
  keepDims?: boolean;
}

/** Longest chain one thread adds up: longer axes are cut and summed as a tree. */
const CHAIN = 1024;

/**
 * Joins axes by repeated [outer, length, inner] -> [outer, inner] launches, or what lies around one that stays at once;
 * `times` is applied once, at the end.
 */
export function reduceAxes(
  engine: Engine,
  name: ReduceName,
  x: Tensor,
  axes: readonly number[],
  times = 1,
): Tensor {
  const { dims, kept } = joinNeighbours(x.shape, axes);
  if (name === "sum" && aroundOne(kept) && sumsChannels(engine.hardware, dims[0]!, dims[2]!))
    return sumAround(engine, x, dims as Triple, times);
  let current = x;
  for (let i = dims.length - 1; i >= 0; i--) {
    if (kept[i]) continue;
    const outer = shapeSize(dims.slice(0, i));
    const inner = shapeSize(dims.slice(i + 1).filter((_, k) => kept[i + 1 + k]));
    const lastAxis = !kept.some((k, j) => !k && j < i);
    let length = dims[i]!;
    do {
      const segments = length > CHAIN ? Math.ceil(length / CHAIN) : 1;
      const last = segments === 1;
      const scale = last && lastAxis ? times : 1;
      const next = chosen(engine, joined, [current], { op: name, outer, length, inner, segments, scale });
      if (current !== x) current.dispose();
      current = next;
      length = segments;
    } while (length > 1);
  }
  return current === x ? scale(x, times) : current;
}

type Triple = [images: number, channels: number, hw: number];

const aroundOne = (kept: readonly boolean[]): boolean =>
  kept.length === 3 && kept[1] === true && kept[0] === false && kept[2] === false;

function sumAround(engine: Engine, x: Tensor, [images, channels, hw]: Triple, scale: number): Tensor {
  const y = engine.empty([channels]);
  const pieces = channelPieces(images);
  engine.launch(channelSums, { vec: hw % 4 === 0 }, { x, y }, { images, channels, hw, pieces, scale });
  return y;
}

interface Joining {
  readonly op: ReduceName;
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
  readonly segments: number;
  readonly scale: number;
}

/** Walkers round differently, so the number of rows does not count. */
const joined: Tunable<Joining, Pick<ReduceVariant, "by">> = {
  family: "reduce",
  classOf: ({ op, length, inner, segments }) => `${op} of ${length}x${inner} in ${segments}`,
  heuristic: (hw, { length, inner }) => ({ by: reduceWalker(hw, length, inner) }),
  ways: (hw, { length, inner }) => reduceWalkers(hw, length, inner).map((by) => ({ by })),
  run: (engine, [x], { op, ...params }, { by }) => {
    const y = engine.empty([params.outer, params.segments, params.inner]);
    engine.launch(reduce, { op, by }, { x: x!, y }, params);
    return y;
  },
};

/** Neighbouring axes of the same kind as one. */
function joinNeighbours(shape: Shape, axes: readonly number[]): { dims: number[]; kept: boolean[] } {
  const dims: number[] = [];
  const kept: boolean[] = [];
  shape.forEach((d, i) => {
    const keep = !axes.includes(i);
    if (kept.at(-1) === keep) dims[dims.length - 1]! *= d;
    else {
      dims.push(d);
      kept.push(keep);
    }
  });
  return { dims, kept };
}

interface SumAttrs {
  axes: readonly number[];
  keepDims: boolean;
  times: number;
}

const sumOp = defineOp<SumAttrs>({
  name: "sum",
  forward: (engine, [x], { axes, keepDims, times }) =>
    engine.track(
      engine
        .noGrad(() => reduceAxes(engine, "sum", x!, axes, times))
        .alias(reducedShape(x!.shape, axes, keepDims)),
    ),
  vjp: ({ dy, shapes, attrs: { axes, times } }) => {
    const each = times === 1 ? dy : scale(dy, times); // before it is spread, while it is small
    return [broadcastTo(reshapeView(each, reducedShape(shapes[0]!, axes, true)), shapes[0]!)];
  },
  oracle: ([x], { axes, keepDims, times }) => {
    const y = oracle.sum(x!, axes, keepDims);
    return { shape: y.shape, data: y.data.map((v) => v * times) };
  },
});

const reshapeOp = defineOp<{ shape: Shape }>({
  name: "reshape",
  forward: (engine, [x], { shape }) => engine.track(x!.engine.noGrad(() => view(x!, shape))),
  vjp: ({ dy, shapes }) => [reshapeView(dy, shapes[0]!)],
  oracle: ([x], { shape }) => oracleShape.reshape(x!, shape),
});

function view(x: Tensor, shape: Shape): Tensor {
  const t = x.alias(shape);
  t.node?.release();
  t.node = undefined;
  return t;
}

const reshapeView = (x: Tensor, shape: Shape): Tensor =>
  sameShape(x.shape, shape) ? x : reshapeOp(x.engine, [x], { shape });

/** The same values under a node of their own. */
export const identity = (x: Tensor): Tensor => reshapeOp(x.engine, [x], { shape: x.shape });

/** The same values in another shape, without a copy; one length may be -1. Throws UsageError when the sizes differ. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = shapeSize(shape.filter((d) => d !== -1));
  const full = shape.map((d) => (d === -1 ? x.size / known : d));
  if (shapeSize(full) !== x.size || full.some((d) => !Number.isInteger(d) || d < 1))
    throw new UsageError(
      `reshape: got ${showShape(x.shape)} to ${showShape(shape)}, expected ${x.size} elements`,
    );
  return reshapeView(x, full);
}

const broadcastOp = defineOp<{ shape: Shape }>({
  name: "broadcast_to",
  forward: (engine, [x], { shape }) => {
    const y = engine.empty(shape, x!.dtype);
    copyStrided(engine, x!, y, shape, broadcastStrides(x!.shape, shape), stridesOf(shape), 0, 0);
    return y;
  },
  vjp: ({ dy, shapes }) => [sumTo(dy, shapes[0]!)],
  oracle: ([x], { shape }) => oracleShape.broadcastTo(x!, shape),
});

/** x stretched to `shape` by NumPy's rule. Throws UsageError when it does not stretch. */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  requireShape("broadcastTo", shape);
  if (!sameShape(broadcastShapes("broadcastTo", x.shape, shape), shape))
    throw new UsageError(
      `broadcastTo: got ${showShape(x.shape)}, it does not stretch to ${showShape(shape)}`,
    );
  return broadcastOp(x.engine, [x], { shape });
}

/** Sum over axes. [...] -> [...] without the axes, or with length 1. Throws UsageError for an axis that x lacks. */
export function sum(x: Tensor, { axis, keepDims = false }: ReduceOptions = {}): Tensor {
  requireFloat("sum", x);
  return sumOp(x.engine, [x], { axes: normalAxes("sum", x.shape, axis), keepDims, times: 1 });
}

/** Mean over axes. Shapes and what it throws are sum's. */
export function mean(x: Tensor, { axis, keepDims = false }: ReduceOptions = {}): Tensor {
  requireFloat("mean", x);
  const axes = normalAxes("mean", x.shape, axis);
  return sumOp(x.engine, [x], { axes, keepDims, times: 1 / shapeSize(axes.map((a) => x.shape[a]!)) });
}

/** The adjoint of broadcastTo: sums x over the axes along which `shape` was stretched. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const lead = x.rank - shape.length;
  const axes = x.shape.flatMap((d, i) => (i < lead || (shape[i - lead] === 1 && d !== 1) ? [i] : []));
  return reshapeView(sumOp(x.engine, [x], { axes, keepDims: false, times: 1 }), shape);
}

/** The sum over each sample's elements, x [n,...] -> [n]. Throws UsageError for a scalar. */
export function sumEach(x: Tensor): Tensor {
  if (x.rank < 1) throw new UsageError("sumEach: got a scalar, expected [n,...]");
  return sum(reshape(x, [x.dim(0), -1]), { axis: 1 });
}

/** A number for each sample, t [n], so that it goes over x [n,...]: -> [n,1,...] of x's rank. Throws UsageError for a scalar x. */
export function perSample(t: Tensor, x: Tensor): Tensor {
  if (x.rank < 1) throw new UsageError("perSample: got a scalar x, expected [n,...]");
  return reshape(t, [-1, ...new Array<number>(x.rank - 1).fill(1)]);
}
