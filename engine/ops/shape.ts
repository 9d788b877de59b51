import type { Engine } from "../engine.ts";
import { UsageError } from "../errors.ts";
import { defineOp } from "../op.ts";
import * as oracle from "../oracle/shape.ts";
import { normalAxes, shapeSize, showShape, stridesOf } from "../shapes.ts";
import { copyStrided } from "../strided.ts";
import type { Dtype, Shape, Tensor } from "../tensor.ts";
import { windowOf } from "../window.ts";
import { cast } from "./cast.ts";

// All of these copy along strides. Slice and pad with zeros are each other's adjoint; a permutation's is its inverse.

const permuteOp = defineOp<{ order: readonly number[] }>({
  name: "permute",
  forward: (engine, [x], { order }) => {
    const y = engine.empty(
      order.map((a) => x!.shape[a]!),
      x!.dtype,
    );
    const strides = stridesOf(x!.shape);
    copyStrided(
      engine,
      x!,
      y,
      y.shape,
      order.map((a) => strides[a]!),
      stridesOf(y.shape),
      0,
      0,
    );
    return y;
  },
  vjp: ({ dy, attrs: { order } }) => [
    permute(
      dy,
      order.map((_, i) => order.indexOf(i)),
    ),
  ],
  oracle: ([x], { order }) => oracle.permute(x!, order),
});

/** Axes in another order, as NumPy's transpose. Throws UsageError unless each axis is named once. */
export function permute(x: Tensor, order: readonly number[]): Tensor {
  if (normalAxes("permute", x.shape, order).length !== x.rank)
    throw new UsageError(`permute: got order [${order}] for ${showShape(x.shape)}, expected every axis once`);
  return permuteOp(x.engine, [x], { order: order.map((a) => (a < 0 ? a + x.rank : a)) });
}

/** The last two axes swapped. Throws UsageError below rank 2. */
export function transpose(x: Tensor): Tensor {
  if (x.rank < 2)
    throw new UsageError(`transpose: got ${showShape(x.shape)}, expected rank 2 or more; reshape first`);
  const order = x.shape.map((_, i) => i);
  return permute(x, [...order.slice(0, -2), x.rank - 1, x.rank - 2]);
}

interface SliceAttrs {
  starts: readonly number[];
  sizes: readonly number[];
}

const sliceOp = defineOp<SliceAttrs>({
  name: "slice",
  forward: (engine, [x], { starts, sizes }) => {
    const strides = stridesOf(x!.shape);
    const first = starts.reduce((at, s, i) => at + s * strides[i]!, 0);
    if (!inFours(x!.shape, sizes, first)) {
      const back = starts.map((s) => -s);
      const window = windowOf(engine, x!, sizes, back, 0);
      if (window) return window;
    }
    const y = engine.empty(sizes, x!.dtype);
    copyStrided(engine, x!, y, sizes, strides, stridesOf(sizes), first, 0);
    return y;
  },
  vjp: ({ dy, shapes, attrs: { starts, sizes } }) => [
    pad(
      dy,
      starts.map((s, i) => [s, shapes[0]![i]! - s - sizes[i]!] as const),
    ),
  ],
  oracle: ([x], { starts, sizes }) => oracle.slice(x!, starts, sizes),
});

/** Whether a block and what stands between its rows are whole fours, which copyStrided moves at once. */
const inFours = (shape: Shape, sizes: Shape, first: number): boolean => {
  const cut = sizes.findLastIndex((size, i) => size !== shape[i]);
  return [shape, sizes].every((lengths) => shapeSize(lengths.slice(cut)) % 4 === 0) && first % 4 === 0;
};

/** The block of `sizes` from `starts`. Throws UsageError when it leaves the tensor. */
export function slice(x: Tensor, starts: readonly number[], sizes: Shape): Tensor {
  const fits =
    starts.length === x.rank &&
    sizes.length === x.rank &&
    [...starts, ...sizes].every(Number.isInteger) &&
    starts.every((s, i) => s >= 0 && sizes[i]! >= 1 && s + sizes[i]! <= x.shape[i]!);
  if (!fits)
    throw new UsageError(
      `slice: got starts ${showShape(starts)}, sizes ${showShape(sizes)} of ${showShape(x.shape)}, expected a block inside it`,
    );
  return sliceOp(x.engine, [x], { starts, sizes });
}

/** Part of one axis: `size` entries from `start`. Throws UsageError where x has no such axis or entries. */
export function narrow(x: Tensor, axis: number, start: number, size: number): Tensor {
  const [a] = normalAxes("narrow", x.shape, axis);
  return slice(
    x,
    x.shape.map((_, i) => (i === a ? start : 0)),
    x.shape.map((d, i) => (i === a ? size : d)),
  );
}

/** Equal parts along an axis, [.., length / parts, ..] each. Throws UsageError unless `parts` divides its length. */
export function chunk(x: Tensor, parts: number, axis: number): Tensor[] {
  if (!Number.isInteger(parts) || parts < 1)
    throw new UsageError(`chunk: got ${parts} parts, expected a whole number of at least 1`);
  normalAxes("chunk", x.shape, axis);
  const length = x.dim(axis);
  if (length % parts !== 0)
    throw new UsageError(`chunk: got axis of ${length}, expected a multiple of ${parts}`);
  return Array.from({ length: parts }, (_, i) => narrow(x, axis, (i * length) / parts, length / parts));
}

/** For each axis, how many values are put before and after. */
export type Pads = readonly (readonly [before: number, after: number])[];

/** A number in f16 comes about on the device alone. */
function filled(engine: Engine, shape: Shape, value: number, dtype: Dtype): Tensor {
  if (dtype !== "f16") return engine.full(shape, value, dtype);
  const y = engine.empty(shape, dtype);
  engine.copy(engine.full(shape, value), y);
  return y;
}

const padOp = defineOp<{ pads: Pads; value: number }>({
  name: "pad",
  forward: (engine, [x], { pads, value }) => {
    const shape = x!.shape.map((d, i) => d + pads[i]![0] + pads[i]![1]);
    const starts = pads.map(([before]) => before);
    const window = windowOf(engine, x!, shape, starts, value);
    if (window) return window;
    const y = filled(engine, shape, value, x!.dtype);
    const strides = stridesOf(y.shape);
    const first = pads.reduce((at, [before], i) => at + before * strides[i]!, 0);
    copyStrided(engine, x!, y, x!.shape, stridesOf(x!.shape), strides, 0, first);
    return y;
  },
  vjp: ({ dy, shapes, attrs: { pads } }) => [
    slice(
      dy,
      pads.map(([before]) => before),
      shapes[0]!,
    ),
  ],
  oracle: ([x], { pads, value }) => oracle.pad(x!, pads, value),
});

/** `value` put before and after each axis. Throws UsageError for negative widths; crop with slice. */
export function pad(x: Tensor, pads: Pads, value = 0): Tensor {
  const fits = (widths: Pads[number]): boolean =>
    widths.length === 2 && widths.every((w) => Number.isInteger(w) && w >= 0);
  if (pads.length !== x.rank || !pads.every(fits))
    throw new UsageError(
      `pad: got widths ${JSON.stringify(pads)} for ${showShape(x.shape)}, expected [before, after] >= 0 for each axis`,
    );
  return padOp(x.engine, [x], { pads, value });
}

const concatOp = defineOp<{ axis: number }>({
  name: "concat",
  forward: (engine, parts, { axis }) => {
    const [first] = parts;
    const shape = first!.shape.map((d, i) =>
      i === axis ? parts.reduce((n, t) => n + t!.shape[axis]!, 0) : d,
    );
    const y = engine.empty(shape, first!.dtype);
    const strides = stridesOf(shape);
    let at = 0;
    for (const t of parts) {
      copyStrided(engine, t!, y, t!.shape, stridesOf(t!.shape), strides, 0, at * strides[axis]!);
      at += t!.shape[axis]!;
    }
    return y;
  },
  vjp: ({ dy, shapes, wants, attrs: { axis } }) => {
    let at = 0;
    return shapes.map((s, i) => {
      const start = at;
      at += s![axis]!;
      return wants[i] ? narrow(dy, axis, start, s![axis]!) : undefined;
    });
  },
  oracle: (parts, { axis }) =>
    oracle.concat(
      parts.map((t) => t!),
      axis,
    ),
});

/** Tensors joined along an axis, in f32 where some are f32 and others f16. Throws UsageError when another axis differs. */
export function concat(parts: readonly Tensor[], axis: number): Tensor {
  const [first] = parts;
  if (!first) throw new UsageError("concat: got no tensors, expected at least one");
  const types = new Set(parts.map((t) => t.dtype));
  if (types.size === 2 && types.has("f16") && types.has("f32"))
    return concat(
      parts.map((t) => cast(t, "f32")),
      axis,
    );
  const [a] = normalAxes("concat", first.shape, axis);
  const odd = parts.find(
    (t) =>
      t.rank !== first.rank ||
      t.dtype !== first.dtype ||
      t.shape.some((d, i) => i !== a && d !== first.shape[i]),
  );
  if (odd)
    throw new UsageError(
      `concat: got ${first.dtype} ${showShape(first.shape)} and ${odd.dtype} ${showShape(odd.shape)}, ` +
        `expected one dtype and equal lengths but on axis ${a}`,
    );
  return parts.length === 1 ? first : concatOp(first.engine, parts, { axis: a! });
}

const flipOp = defineOp<{ axes: readonly number[] }>({
  name: "flip",
  forward: (engine, [x], { axes }) => {
    const y = engine.empty(x!.shape, x!.dtype);
    const strides = stridesOf(x!.shape);
    const back = strides.map((s, i) => (axes.includes(i) ? -s : s));
    const first = axes.reduce((at, a) => at + (x!.shape[a]! - 1) * strides[a]!, 0);
    copyStrided(engine, x!, y, x!.shape, back, strides, first, 0);
    return y;
  },
  vjp: ({ dy, attrs: { axes } }) => [flip(dy, axes)],
  oracle: ([x], { axes }) => oracle.flip(x!, axes),
});

/** Entries in reverse order along axes, of x's shape. Throws UsageError for an axis that x has not. */
export const flip = (x: Tensor, axes: number | readonly number[]): Tensor =>
  flipOp(x.engine, [x], { axes: normalAxes("flip", x.shape, axes) });
