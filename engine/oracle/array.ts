/** Dense row-major float64 array, the only value the oracle knows. A scalar has shape []. */
export interface Array64 {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export type Shape = readonly number[];

/** Number of elements of a shape; 1 for a scalar. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** A copy of data under a shape, or zeros. Throws RangeError when the lengths disagree. */
export function array64(shape: Shape, data?: ArrayLike<number>): Array64 {
  const size = sizeOf(shape);
  if (data && data.length !== size) {
    throw new RangeError(`array64: got ${data.length} values for shape [${shape}], expected ${size}`);
  }
  return { shape: [...shape], data: data ? Float64Array.from(data) : new Float64Array(size) };
}

export function zeros(shape: Shape): Array64 {
  return array64(shape);
}

export function scalar(value: number): Array64 {
  return array64([], [value]);
}

/** Row-major strides in elements: [2,3,4] -> [12,4,1]. */
export function strides(shape: Shape): number[] {
  return shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
}

/** Flat position of a multi-index. */
export function offsetOf(index: readonly number[], steps: readonly number[]): number {
  return index.reduce((offset, i, axis) => offset + i * steps[axis]!, 0);
}

/** Visits every multi-index of a shape in row-major order. The index array is reused between calls. */
export function forEachIndex(shape: Shape, visit: (index: readonly number[], flat: number) => void): void {
  const index = shape.map(() => 0);
  const size = sizeOf(shape);

  for (let flat = 0; flat < size; flat++) {
    visit(index, flat);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]! += 1;
      if (index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
}

/** NumPy broadcasting: align at the last axis, a length of 1 stretches. */
export function broadcastShapes(a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  const shape: number[] = [];

  for (let axis = 0; axis < rank; axis++) {
    const m = a[axis - rank + a.length] ?? 1;
    const n = b[axis - rank + b.length] ?? 1;
    if (m !== n && m !== 1 && n !== 1) {
      throw new RangeError(`broadcastShapes: [${a}] and [${b}] do not broadcast`);
    }
    shape.push(m === 1 ? n : m);
  }
  return shape;
}

/** Axis counted from the front; -1 is the last one. */
export function axisOf(axis: number, rank: number): number {
  const front = axis < 0 ? axis + rank : axis;
  if (front < 0 || front >= rank) throw new RangeError(`axisOf: axis ${axis} of a rank ${rank} array`);
  return front;
}

export function map(x: Array64, f: (value: number, flat: number) => number): Array64 {
  return array64(x.shape, x.data.map(f));
}

/** Elementwise f of two arrays of one shape (no broadcasting; see binary.ts for that). */
export function zip(a: Array64, b: Array64, f: (x: number, y: number) => number): Array64 {
  requireShape("zip", b, a.shape);
  return map(a, (value, flat) => f(value, b.data[flat]!));
}

/** y, or its sum with an array of its shape. */
export const withResidual = (y: Array64, residual: Array64 | undefined): Array64 =>
  residual ? zip(y, residual, (a, b) => a + b) : y;

export function requireShape(name: string, x: Array64, shape: Shape): void {
  if (x.shape.length !== shape.length || x.shape.some((length, axis) => length !== shape[axis])) {
    throw new RangeError(`${name}: got [${x.shape}], expected [${shape}]`);
  }
}

/** The four lengths of an image batch or a convolution weight. */
export function fourOf(x: Array64): [number, number, number, number] {
  if (x.shape.length !== 4) throw new RangeError(`fourOf: got [${x.shape}], expected four axes`);
  const [n, c, h, w] = x.shape as [number, number, number, number];
  return [n, c, h, w];
}
