import { type Array64, array64, axisOf, forEachIndex, map, offsetOf, strides, zeros } from "./array.ts";
import { broadcastTo } from "./shape.ts";

/** Axes to reduce, negative ones counted from the end; null for all of them. */
export type Axes = readonly number[] | null;

function reducedAxes(axes: Axes, rank: number): number[] {
  return axes ? axes.map((axis) => axisOf(axis, rank)) : Array.from({ length: rank }, (_, axis) => axis);
}

/** Folds x over some axes, which stay with length 1. */
function fold(x: Array64, axes: Axes, start: number, f: (total: number, value: number) => number): Array64 {
  const reduced = reducedAxes(axes, x.shape.length);
  const kept = x.shape.map((length, axis) => (reduced.includes(axis) ? 1 : length));
  const steps = strides(kept).map((step, axis) => (reduced.includes(axis) ? 0 : step));

  const y = map(zeros(kept), () => start);
  forEachIndex(x.shape, (index, flat) => {
    const at = offsetOf(index, steps);
    y.data[at] = f(y.data[at]!, x.data[flat]!);
  });
  return y;
}

/** Drops the reduced axes of a fold, unless they are to be kept with length 1. */
function finish(y: Array64, axes: Axes, keepDims: boolean): Array64 {
  if (keepDims) return y;
  const reduced = reducedAxes(axes, y.shape.length);
  const shape = y.shape.filter((_, axis) => !reduced.includes(axis));
  return array64(shape, y.data);
}

export function sum(x: Array64, axes: Axes, keepDims = false): Array64 {
  const total = fold(x, axes, 0, (partial, value) => partial + value);
  return finish(total, axes, keepDims);
}

export function max(x: Array64, axes: Axes, keepDims = false): Array64 {
  return finish(fold(x, axes, Number.NEGATIVE_INFINITY, Math.max), axes, keepDims);
}

export function min(x: Array64, axes: Axes, keepDims = false): Array64 {
  return finish(fold(x, axes, Number.POSITIVE_INFINITY, Math.min), axes, keepDims);
}

export function mean(x: Array64, axes: Axes, keepDims = false): Array64 {
  const total = sum(x, axes, keepDims);
  const count = x.data.length / total.data.length;
  return map(total, (value) => value / count);
}

/** log sum exp(x), shifted by the maximum so that nothing overflows. */
export function logsumexp(x: Array64, axes: Axes, keepDims = false): Array64 {
  const peak = max(x, axes, true);
  const shift = broadcastTo(peak, x.shape);
  const shifted = map(x, (value, flat) => Math.exp(value - shift.data[flat]!));
  const total = map(sum(shifted, axes, true), (value, flat) => Math.log(value) + peak.data[flat]!);
  return finish(total, axes, keepDims);
}
