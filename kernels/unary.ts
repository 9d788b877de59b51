import { defineKernel, type Hardware, linearGroups, linearMain } from "./kernel.ts";
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
  relu: "select(x, 0.0, x < 0.0)",
  leakyRelu: "select(x, x * p.a, x < 0.0)",
  elu: "select(x, p.a * expm1_(x), x < 0.0)",
  silu: "x * sigmoid_(x)",
  step: "select(0.0, 1.0, x > 0.0)",
  floor: "floor(x)",
} as const;
export type UnaryName = keyof typeof unaryExpressions;

/** dy * f'(x) for the activations, as an expression in x and g = dy. */
export const activationGradients = {
  tanh: "g * (1.0 - tanh_(x) * tanh_(x))",
  sigmoid: "g * sigmoid_(x) * (1.0 - sigmoid_(x))",
  softplus: "g * sigmoid_(x)",
  relu: "select(0.0, g, x > 0.0)",
  leakyRelu: "select(g * p.a, g, x > 0.0)",
  elu: "select(g * p.a * exp_(x), g, x > 0.0)",
  silu: "g * sigmoid_(x) * (1.0 + x * (1.0 - sigmoid_(x)))",
} as const satisfies Partial<Record<UnaryName, string>>;
export type ActivationName = keyof typeof activationGradients;

export type UnaryVariant = { op: UnaryName; vecs: number };
export type ActivationGradVariant = { op: ActivationName; vecs: number };

/** vec4s a thread handles in a row: a CPU driver wants whole cache lines, a GPU neighbours side by side. */
export const vecsPerThread = (hw: Hardware): number => (hw.kind === "cpu" ? 4 : 1);

/** WGSL that runs `body` (with `i` a vec4 index) for a thread's vec4s below `p.count` elements. */
export const forEachVec4 = (vecs: number, body: string): string => `
  ${linearMain(64)}
    for (var q = 0u; q < ${vecs}u; q++) {
      let i = thread * ${vecs}u + q;
      if (i * 4u < p.count) { ${body} }
    }
  }`;

export const vec4Groups = (count: number, vecs: number) => linearGroups(Math.ceil(count / 4 / vecs), 64);

const perLane = (f: string, ...args: string[]) =>
  `vec4f(${["x", "y", "z", "w"].map((l) => `${f}(${args.map((a) => `${a}.${l}`).join(", ")})`).join(", ")})`;

const plainVariants = <N extends string>(table: Record<N, string>) =>
  (Object.keys(table) as N[]).flatMap((op) => [1, 4].map((vecs) => ({ op, vecs })));

/** y = f(x), element by element. */
export const unary = defineKernel({
  name: "unary",
  bindings: { x: "read vec4f", y: "read_write vec4f" },
  params: { count: "u32", a: "f32" },
  lib: math,
  variants: plainVariants(unaryExpressions) as UnaryVariant[],
  main: (v: UnaryVariant) => `
    fn f(x: f32) -> f32 { return ${unaryExpressions[v.op]}; }
    ${forEachVec4(v.vecs, `let t = x[i]; y[i] = ${perLane("f", "t")};`)}`,
  dispatch: ({ count }, v) => vec4Groups(count, v.vecs),
  cost: ({ count }) => ({ bytes: 8 * count, flops: count }),
});

/** dx = dy * f'(x). */
export const activationGrad = defineKernel({
  name: "activation_grad",
  bindings: { x: "read vec4f", dy: "read vec4f", dx: "read_write vec4f" },
  params: { count: "u32", a: "f32" },
  lib: math,
  variants: plainVariants(activationGradients) as ActivationGradVariant[],
  main: (v: ActivationGradVariant) => `
    fn f(x: f32, g: f32) -> f32 { return ${activationGradients[v.op]}; }
    ${forEachVec4(v.vecs, `let t = x[i]; let g = dy[i]; dx[i] = ${perLane("f", "t", "g")};`)}`,
  dispatch: ({ count }, v) => vec4Groups(count, v.vecs),
  cost: ({ count }) => ({ bytes: 12 * count, flops: 2 * count }),
});
