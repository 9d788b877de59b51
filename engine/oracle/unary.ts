import { type Array64, map } from "./array.ts";

export interface UnaryAttrs {
  /** Scale of the negative branch of elu; 1 if absent. */
  readonly alpha?: number;
  /** Slope of the negative branch of leakyRelu; 0.01 if absent. */
  readonly slope?: number;
}

export type UnaryFunction = (x: number, attrs?: UnaryAttrs) => number;

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** y = f(x) of one number. */
export const unary = {
  neg: (x) => -x,
  abs: Math.abs,
  sign: Math.sign,
  exp: Math.exp,
  log: Math.log,
  log1p: Math.log1p,
  expm1: Math.expm1,
  sqrt: Math.sqrt,
  rsqrt: (x) => 1 / Math.sqrt(x),
  square: (x) => x * x,
  reciprocal: (x) => 1 / x,
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  sigmoid,
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  relu: (x) => Math.max(x, 0),
  leakyRelu: (x, { slope = 0.01 } = {}) => (x > 0 ? x : slope * x),
  elu: (x, { alpha = 1 } = {}) => (x > 0 ? x : alpha * Math.expm1(x)),
  silu: (x) => x * sigmoid(x),
  floor: Math.floor,
  step: (x) => (x > 0 ? 1 : 0),
} satisfies Record<string, UnaryFunction>;

export type UnaryName = keyof typeof unary;

/** x of any shape -> f(x), same shape. */
export function applyUnary(name: UnaryName, x: Array64, attrs: UnaryAttrs = {}): Array64 {
  const f: UnaryFunction = unary[name];
  return map(x, (value) => f(value, attrs));
}
