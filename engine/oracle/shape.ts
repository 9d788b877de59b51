import {
  type Array64,
  array64,
  axisOf,
  forEachIndex,
  offsetOf,
  type Shape,
  strides,
  zeros,
} from "./array.ts";

/** Output of a shape whose element at an index is read(index). */
function gather(shape: Shape, read: (index: readonly number[]) => number): Array64 {
  const y = zeros(shape);
  forEachIndex(shape, (index, flat) => {
    y.data[flat] = read(index);
  });
  return y;
}

/** Same elements in the same order under another shape of the same size. */
export function reshape(x: Array64, shape: Shape): Array64 {
  return array64(shape, x.data);
}

/** Axis a of the result is axis order[a] of x. */
export function permute(x: Array64, order: readonly number[]): Array64 {
  const steps = strides(x.shape);
  const permuted = order.map((axis) => steps[axis]!);
  return gather(
    order.map((axis) => x.shape[axis]!),
    (index) => x.data[offsetOf(index, permuted)]!,
  );
}

/** NumPy broadcasting of x to a shape: missing leading axes and axes of length 1 repeat. */
export function broadcastTo(x: Array64, shape: Shape): Array64 {
  const lead = shape.length - x.shape.length;
  const steps = strides(x.shape);
  const repeated = shape.map((length, axis) => {
    const own = axis < lead ? 1 : x.shape[axis - lead];
    if (lead < 0 || (own !== 1 && own !== length)) {
      throw new RangeError(`broadcastTo: [${x.shape}] does not broadcast to [${shape}]`);
    }
    return own === 1 ? 0 : steps[axis - lead]!;
  });
  return gather(shape, (index) => x.data[offsetOf(index, repeated)]!);
}

/** Joins arrays that agree on every other axis. */
export function concat(parts: readonly Array64[], axis: number): Array64 {
  const first = parts[0]!;
  const along = axisOf(axis, first.shape.length);
  const total = parts.reduce((sum, part) => sum + part.shape[along]!, 0);
  const shape = first.shape.map((length, a) => (a === along ? total : length));

  const y = zeros(shape);
  const steps = strides(shape);
  let start = 0;
  for (const part of parts) {
    forEachIndex(part.shape, (index, flat) => {
      y.data[offsetOf(index, steps) + start * steps[along]!] = part.data[flat]!;
    });
    start += part.shape[along]!;
  }
  return y;
}

/** x[starts[0] : starts[0] + sizes[0], ...]. */
export function slice(x: Array64, starts: readonly number[], sizes: readonly number[]): Array64 {
  if (starts.some((start, axis) => start < 0 || start + sizes[axis]! > x.shape[axis]!)) {
    throw new RangeError(`slice: [${starts}] + [${sizes}] leaves [${x.shape}]`);
  }
  const steps = strides(x.shape);
  return gather(sizes, (index) => x.data[offsetOf(index, steps) + offsetOf(starts, steps)]!);
}

/** pads[axis] = [before, after] elements of value around x; a negative pad crops. */
export function pad(x: Array64, pads: readonly (readonly [number, number])[], value = 0): Array64 {
  const steps = strides(x.shape);
  const shape = x.shape.map((length, axis) => pads[axis]![0] + length + pads[axis]![1]);
  return gather(shape, (index) => {
    const source = index.map((i, axis) => i - pads[axis]![0]);
    const inside = source.every((i, axis) => i >= 0 && i < x.shape[axis]!);
    return inside ? x.data[offsetOf(source, steps)]! : value;
  });
}

/** Reverses the order of the elements along some axes. */
export function flip(x: Array64, axes: readonly number[]): Array64 {
  const flipped = axes.map((axis) => axisOf(axis, x.shape.length));
  const steps = strides(x.shape);
  return gather(x.shape, (index) => {
    const source = index.map((i, axis) => (flipped.includes(axis) ? x.shape[axis]! - 1 - i : i));
    return x.data[offsetOf(source, steps)]!;
  });
}
