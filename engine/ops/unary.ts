import { vecsPerThread } from "../../kernels/lanewise.ts";
import {
  type ActivationName,
  activationGrad,
  activationGradients,
  type UnaryName,
  unary,
} from "../../kernels/unary.ts";
import { defineOp, type VjpContext } from "../op.ts";
import { applyUnary } from "../oracle/unary.ts";
import type { Tensor } from "../tensor.ts";
import { add, div, mul, sub } from "./binary.ts";
import { requireFloat } from "./require.ts";

interface Attrs {
  /** ELU's alpha or LeakyReLU's slope. */
  a: number;
}

type Rule = (c: { x: Tensor; y: Tensor; dy: Tensor; a: number }) => Tensor | undefined;

/** dy * f'(x) in ops, from x or from y, so that it can be differentiated again. */
const rules: Record<Exclude<UnaryName, "copy">, Rule> = {
  neg: ({ dy }) => neg(dy),
  abs: ({ x, dy }) => mul(dy, sign(x)),
  sign: () => undefined,
  exp: ({ y, dy }) => mul(dy, y),
  log: ({ x, dy }) => div(dy, x),
  log1p: ({ x, dy }) => div(dy, add(x, 1)),
  expm1: ({ y, dy }) => mul(dy, add(y, 1)),
  sqrt: ({ y, dy }) => div(mul(dy, 0.5), y),
  rsqrt: ({ x, y, dy }) => mul(mul(dy, -0.5), div(y, x)),
  square: ({ x, dy }) => mul(mul(dy, x), 2),
  reciprocal: ({ y, dy }) => mul(dy, neg(square(y))),
  sin: ({ x, dy }) => mul(dy, cos(x)),
  cos: ({ x, dy }) => mul(dy, neg(sin(x))),
  tanh: ({ y, dy }) => mul(dy, sub(1, square(y))),
  sigmoid: ({ y, dy }) => mul(dy, mul(y, sub(1, y))),
  softplus: ({ x, dy }) => mul(dy, sigmoid(x)),
  relu: ({ x, dy }) => mul(dy, step(x)),
  leakyRelu: ({ x, dy, a }) => mul(dy, add(mul(step(x), 1 - a), a)),
  elu: ({ x, dy, a }) => mul(dy, add(step(x), mul(mul(sub(1, step(x)), a), exp(neg(relu(neg(x))))))),
  silu: ({ x, dy }) => {
    const s = sigmoid(x);
    return mul(dy, mul(s, add(mul(x, sub(1, s)), 1)));
  },
  step: () => undefined,
  floor: () => undefined,
};
const fromOutput: ReadonlySet<UnaryName> = new Set([
  "exp",
  "expm1",
  "sqrt",
  "rsqrt",
  "reciprocal",
  "tanh",
  "sigmoid",
]);
const fromInput: ReadonlySet<UnaryName> = new Set([
  "abs",
  "log",
  "log1p",
  "rsqrt",
  "square",
  "sin",
  "cos",
  "softplus",
  "relu",
  "leakyRelu",
  "elu",
  "silu",
]);

function define(name: keyof typeof rules) {
  const fused = name in activationGradients ? (name as ActivationName) : undefined;
  const rule = ({ inputs, y, dy, attrs }: VjpContext<Attrs>) => [
    rules[name]({ x: inputs[0]!, y: y!, dy, a: attrs.a }),
  ];
  const op = defineOp<Attrs>({
    name,
    forward: (engine, [x], { a }) => {
      const y = engine.empty(x!.shape);
      engine.launchLinear(
        unary,
        { op: name, vecs: vecsPerThread(engine.hardware) },
        { x: x!, y },
        { a },
        x!.size,
      );
      return y;
    },
    vjp: rule,
    ...(fused && {
      fusedVjp: ({ engine, inputs: [x], dy, attrs: { a } }) => {
        const dx = engine.empty(dy.shape);
        engine.launchLinear(
          activationGrad,
          { op: fused, vecs: vecsPerThread(engine.hardware) },
          { x: x!, dy, dx },
          { a },
          dy.size,
        );
        return [dx];
      },
    }),
    saves: { inputs: fromInput.has(name) ? [0] : [], output: fromOutput.has(name) },
    oracle: ([x], { a }) => applyUnary(name, x!, { alpha: a, slope: a }),
  });
  return (x: Tensor, a = 1): Tensor => {
    requireFloat(name, x);
    return op(x.engine, [x], { a });
  };
}

const plain = (name: keyof typeof rules) => {
  const op = define(name);
  return (x: Tensor): Tensor => op(x);
};

/** -x, of any shape, as all of these. They throw UsageError for integers. */
export const neg = plain("neg");
/** |x|. Its derivative at 0 is 0. */
export const abs = plain("abs");
/** -1, 0 or 1. Its derivative counts as 0. */
export const sign = plain("sign");
/** e^x. */
export const exp = plain("exp");
/** Natural logarithm; NaN below 0, -Infinity at 0. */
export const log = plain("log");
/** log(1 + x), exact for small x. */
export const log1p = plain("log1p");
/** exp(x) - 1, exact for small x. */
export const expm1 = plain("expm1");
/** Square root; NaN below 0. */
export const sqrt = plain("sqrt");
/** 1 / sqrt(x). */
export const rsqrt = plain("rsqrt");
/** x^2. */
export const square = plain("square");
/** 1 / x. */
export const reciprocal = plain("reciprocal");
/** Accurate for arguments up to 10^4 on every driver. */
export const sin = plain("sin");
/** As accurate as sin. */
export const cos = plain("cos");
/** Hyperbolic tangent. */
export const tanh = plain("tanh");
/** 1 / (1 + exp(-x)). */
export const sigmoid = plain("sigmoid");
/** log(1 + exp(x)). */
export const softplus = plain("softplus");
/** max(x, 0). Its derivative at 0 is 0. */
export const relu = plain("relu");
/** x sigmoid(x), also called swish. */
export const silu = plain("silu");
/** 1 where x > 0, else 0. Its derivative counts as 0. */
export const step = plain("step");
/** The largest whole number up to x. Its derivative counts as 0. */
export const floor = plain("floor");
const leakyReluOp = define("leakyRelu");
/** x where x > 0, else slope x. */
export const leakyRelu = (x: Tensor, slope = 0.01): Tensor => leakyReluOp(x, slope);
const eluOp = define("elu");
/** x where x > 0, else alpha (exp(x) - 1). */
export const elu = (x: Tensor, alpha = 1): Tensor => eluOp(x, alpha);
