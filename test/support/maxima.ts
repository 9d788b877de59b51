import { type Array64, map } from "../../engine/oracle/array.ts";
import * as oracle from "../../engine/oracle/pool.ts";
import type { HostData } from "../../engine/tensor.ts";
import { normal } from "./draw.ts";

/** Few different values, so that maxima stand several times in a window; and here and there NaN. */
export const ties = (shape: readonly number[]) =>
  map(normal(shape, 1), (v) => (v > 1.8 ? Number.NaN : Math.round(2 * v) / 2 - 3));

/** As the oracle's, but that the last NaN of a window wins. */
export function largest(x: Array64, attrs: oracle.PoolAttrs) {
  const clean = map(x, (v, i) => (Number.isNaN(v) ? 100 + i : v));
  const { y, index } = oracle.maxPool2d(clean, attrs);
  return { y: map(y, (v) => (v >= 100 ? Number.NaN : v)), index };
}

/** The bits of an output that was read as floats. */
export const integers = (data: HostData): number[] => [
  ...new Int32Array(data.buffer, data.byteOffset, data.length),
];
