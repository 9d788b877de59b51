import { type Array64, broadcastShapes, map, zip } from "./array.ts";
import { broadcastTo } from "./shape.ts";

export type BinaryFunction = (a: number, b: number) => number;

/** f(a, b) of two numbers; comparisons give 1 or 0. */
export const binary = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  maximum: Math.max,
  minimum: Math.min,
  pow: Math.pow,
  greater: (a, b) => (a > b ? 1 : 0),
  greaterEqual: (a, b) => (a >= b ? 1 : 0),
  less: (a, b) => (a < b ? 1 : 0),
  equal: (a, b) => (a === b ? 1 : 0),
} satisfies Record<string, BinaryFunction>;

export type BinaryName = keyof typeof binary;

/** f(a, b) elementwise under NumPy broadcasting. */
export function applyBinary(name: BinaryName, a: Array64, b: Array64): Array64 {
  const shape = broadcastShapes(a.shape, b.shape);
  return zip(broadcastTo(a, shape), broadcastTo(b, shape), binary[name]);
}

/** a where cond is not 0, else b; all three broadcast together. */
export function where(cond: Array64, a: Array64, b: Array64): Array64 {
  const shape = broadcastShapes(cond.shape, broadcastShapes(a.shape, b.shape));
  const yes = broadcastTo(a, shape);
  const no = broadcastTo(b, shape);
  return map(broadcastTo(cond, shape), (value, flat) => (value !== 0 ? yes.data[flat]! : no.data[flat]!));
}
