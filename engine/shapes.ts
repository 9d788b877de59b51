import { UsageError } from "./errors.ts";

type Shape = readonly number[];

export function shapeSize(shape: Shape): number {
  let size = 1;
  for (let i = 0; i < shape.length; i++) size *= shape[i]!;
  return size;
}

export const showShape = (shape: Shape): string => `[${shape.join(",")}]`;

export function sameShape(a: Shape, b: Shape): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!;
  return strides;
}

/** NumPy's rule: aligned at the right, axes of length 1 stretch. Throws UsageError naming both shapes. */
export function broadcastShapes(who: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  const out: number[] = [];
  for (let i = 0; i < rank; i++) {
    const da = a[i - rank + a.length] ?? 1;
    const db = b[i - rank + b.length] ?? 1;
    if (da !== db && da !== 1 && db !== 1)
      throw new UsageError(
        `${who}: got shapes ${showShape(a)} and ${showShape(b)}, axis ${i - rank} differs (${da} and ${db}); ` +
          "expected equal lengths or 1",
      );
    out.push(da === 1 ? db : da);
  }
  return out;
}

/** Strides of `shape` read as the broadcast `out`: 0 along stretched axes. */
export function broadcastStrides(shape: Shape, out: Shape): number[] {
  const strides = stridesOf(shape);
  const lead = out.length - shape.length;
  return out.map((_, i) => (i < lead || shape[i - lead] === 1 ? 0 : strides[i - lead]!));
}

/** Axes as sorted non-negative numbers; undefined means all. Throws UsageError for an axis the shape lacks. */
export function normalAxes(
  who: string,
  shape: Shape,
  axes: number | readonly number[] | undefined,
): number[] {
  if (axes === undefined) return shape.map((_, i) => i);
  const list = typeof axes === "number" ? [axes] : axes;
  const normal = list.map((axis) => {
    const a = axis < 0 ? axis + shape.length : axis;
    if (!Number.isInteger(a) || a < 0 || a >= shape.length)
      throw new UsageError(
        `${who}: got axis ${axis} for shape ${showShape(shape)}, expected ` +
          (shape.length > 0 ? `${-shape.length} to ${shape.length - 1}` : "none: a scalar has no axes"),
      );
    return a;
  });
  if (new Set(normal).size !== normal.length)
    throw new UsageError(`${who}: got axes [${list.join(",")}], an axis is named twice`);
  return normal.sort((a, b) => a - b);
}

/** Shape left after a reduction. */
export const reducedShape = (shape: Shape, axes: readonly number[], keepDims: boolean): number[] =>
  shape.flatMap((d, i) => (axes.includes(i) ? (keepDims ? [1] : []) : [d]));

export interface Collapsed {
  readonly dims: readonly number[];
  readonly strides: readonly (readonly number[])[];
}

/**
 * The same walk with fewer axes: drops axes of length 1 and joins neighbours that every operand steps
 * through as one. Always leaves at least one axis.
 */
export function collapse(dims: Shape, strides: readonly Shape[]): Collapsed {
  const out: number[] = [];
  const outStrides: number[][] = strides.map(() => []);
  dims.forEach((d, i) => {
    if (d === 1) return;
    const last = out.length - 1;
    const joins = last >= 0 && strides.every((s, k) => outStrides[k]![last] === s[i]! * d);
    if (joins) out[last]! *= d;
    else out.push(d);
    const at = out.length - 1;
    strides.forEach((s, k) => {
      outStrides[k]![at] = s[i]!;
    });
  });
  if (out.length === 0) return { dims: [1], strides: strides.map(() => [0]) };
  return { dims: out, strides: outStrides };
}

/** Throws UsageError unless every length is a whole number of at least 1. */
export function requireShape(who: string, shape: Shape): void {
  const bad = shape.find((d) => !Number.isInteger(d) || d < 1);
  if (bad !== undefined)
    throw new UsageError(`${who}: got shape ${showShape(shape)}, expected whole lengths of at least 1`);
}
