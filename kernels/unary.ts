import { defineLanewise, vecCounts } from "./lanewise.ts";
import { math } from "./lib/math.ts";

/** y = f(x) as an expression in x; `p.a` is the op's one number (ELU's alpha, LeakyReLU's slope, a scale). */
export const unaryExpressions = {
  copy: "x",
  neg: "-x",
  abs: "abs(x)",
  sign: "select(sign(x), x, is_nan(x))",
  exp: "exp_(x)",
  log: "log_(x)",
  log1p: "log1p_(x)",
  expm1: "expm1_(x)",
  sqrt: "sqrt(x)",
  rsqrt: "1.0 / sqrt(x)",
  square: "x * x",
  reciprocal: "1.0 / x",
  sin: "sin_(x)",
  cos: "cos_(x)",
  tanh: "tanh_(x)",
  sigmoid: "sigmoid_(x)",
  softplus: "softplus_(x)",
  relu: "select(select(x, 0.0, x < 0.0), x, is_nan(x))", // drivers make a maximum of the inner one, which drops NaN
  leakyRelu: "select(x, x * p.a, x < 0.0)",
  elu: "select(x, p.a * expm1_minus(-x), x < 0.0)",
  silu: "x * logistic(x)",
  step: "select(0.0, 1.0, x > 0.0)",
  floor: "floor(x)",
} as const;
export type UnaryName = keyof typeof unaryExpressions;

/** dy * f'(x) for the activations that are not differentiated by their result, as an expression in x and dy. */
export const activationGradients = {
  softplus: "dy * sigmoid_(x)",
  relu: "select(0.0, dy, x > 0.0)",
  leakyRelu: "select(dy * p.a, dy, x > 0.0)",
  elu: "select(dy * p.a * exp_(x), dy, x > 0.0)",
  silu: "dy * logistic(x) * (1.0 + x * (1.0 - logistic(x)))",
} as const satisfies Partial<Record<UnaryName, string>>;
export type ActivationName = keyof typeof activationGradients;

type UnaryVariant = { op: UnaryName; vecs: number };
type ActivationGradVariant = { op: ActivationName; vecs: number };

const tuned = <N extends string>(table: Record<N, string>) =>
  (Object.keys(table) as N[]).flatMap((op) => vecCounts.map((vecs) => ({ op, vecs })));

/** y = f(x), element by element. */
export const unary = defineLanewise({
  name: "unary",
  inputs: ["x"],
  output: "y",
  params: { a: "f32" },
  lib: () => math,
  variants: tuned(unaryExpressions) as UnaryVariant[],
  expression: (v: UnaryVariant) => unaryExpressions[v.op],
  flops: 1,
});

/** dx = dy * f'(x). */
export const activationGrad = defineLanewise({
  name: "activation_grad",
  inputs: ["x", "dy"],
  output: "dx",
  params: { a: "f32" },
  lib: () => math,
  variants: tuned(activationGradients) as ActivationGradVariant[],
  expression: (v: ActivationGradVariant) => activationGradients[v.op],
  flops: 2,
});
