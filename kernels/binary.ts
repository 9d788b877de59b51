import { defineKernel, linearGroups, linearMain, range, unroll } from "./kernel.ts";
import { defineLanewise } from "./lanewise.ts";
import { math } from "./lib/math.ts";

/** z = f(x, y) as an expression. Comparisons give 1 or 0. */
export const binaryExpressions = {
  add: "x + y",
  sub: "x - y",
  mul: "x * y",
  div: "x / y",
  rsub: "y - x",
  rdiv: "y / x",
  maximum: "select(select(y, x, x > y), x, is_nan(x))",
  minimum: "select(select(y, x, x < y), x, is_nan(x))",
  pow: "pow_(x, y)",
  greater: "select(0.0, 1.0, x > y)",
  greaterEqual: "select(0.0, 1.0, x >= y)",
  less: "select(0.0, 1.0, x < y)",
  lessEqual: "select(0.0, 1.0, x <= y)",
  equal: "select(0.0, 1.0, x == y)",
} as const;
export type BinaryName = keyof typeof binaryExpressions;
const names = Object.keys(binaryExpressions) as BinaryName[];

const pow = `
fn pow_(x: f32, y: f32) -> f32 {
  let whole = floor(y) == y;
  let odd = whole && floor(y * 0.5) * 2.0 != y;
  let size = exp_(y * log_(abs(x)));
  var z = select(size, -size, odd && x < 0.0);
  z = select(z, special(0x7fc00000u, x), x < 0.0 && !whole);
  return select(z, 1.0, y == 0.0);
}`;
const lib = (v: { op: BinaryName }) => (v.op === "pow" ? [...math, pow] : math);
const f = (op: BinaryName) => `fn f(x: f32, y: f32) -> f32 { return ${binaryExpressions[op]}; }`;

export type BinaryVariant = { op: BinaryName; vecs: number };
const variants = names.flatMap((op) => [1, 4].map((vecs): BinaryVariant => ({ op, vecs })));

/** z = f(x, y), both of one shape. */
export const binary = defineLanewise({
  name: "binary",
  inputs: ["x", "y"],
  output: "z",
  params: {},
  lib,
  variants,
  expression: (v: BinaryVariant) => binaryExpressions[v.op],
  flops: 1,
});

/** z = f(x, s) with a host number s. */
export const binaryScalar = defineLanewise({
  name: "binary_scalar",
  inputs: ["x"],
  output: "z",
  params: { s: "f32" },
  lib,
  variants,
  expression: (v: BinaryVariant) => binaryExpressions[v.op].replace(/\by\b/g, "p.s"),
  flops: 1,
});

export const MAX_RANK = 6;
/** Neighbouring places a thread computes. */
const RUN = 4;
export type BroadcastVariant = {
  op: BinaryName;
  rank: number;
  /** Four neighbours on the last axis at once: its length is a multiple of 4. */
  vec: boolean;
  /** Steps of x and y on the last axis: 0 (stretched) or 1. */
  sx: number;
  sy: number;
};

const fourAtOnce = ({ sx, sy }: BroadcastVariant): string => `
        let v = ${sx === 1 ? "x[i / 4u]" : "vec4f(x[i])"};
        let w = ${sy === 1 ? "y[j / 4u]" : "vec4f(y[j])"};
        z[base / 4u] = vec4f(f(v.x, w.x), f(v.y, w.y), f(v.z, w.z), f(v.w, w.w));`;

/** z = f(x, y) with NumPy broadcasting over up to six axes; strides in elements, the last axis walked by sx, sy. */
export const binaryBroadcast = defineKernel({
  name: "binary_broadcast",
  bindings: (v: BroadcastVariant) =>
    ({
      x: v.vec && v.sx === 1 ? "read vec4f" : "read f32",
      y: v.vec && v.sy === 1 ? "read vec4f" : "read f32",
      z: v.vec ? "read_write vec4f" : "read_write f32",
    }) as const,
  params: {
    count: "u32",
    ...axisParams("d"),
    ...axisParams("a"),
    ...axisParams("b"),
  },
  lib,
  variants: names.flatMap((op) =>
    [1, 2, 3, 4, 5, 6].flatMap((rank) =>
      [true, false].flatMap((vec) =>
        [
          [1, 0],
          [0, 1],
          [1, 1],
        ].map(([sx, sy]): BroadcastVariant => ({ op, rank, vec, sx: sx!, sy: sy! })),
      ),
    ),
  ),
  main: (v: BroadcastVariant) => {
    const step = v.vec ? 4 : 1;
    const last = v.rank - 1;
    return `
    ${f(v.op)}
    ${linearMain(64)}
      for (var run = 0u; run < ${RUN}u; run++) {
      let base = (thread * ${RUN}u + run) * ${step}u;
      if (base >= p.count) { return; }
      var rest = base;
      var i = 0u;
      var j = 0u;
      var at = 0u;
      ${unroll(v.rank, (k) => {
        const axis = last - k;
        const move =
          axis === last
            ? `i += at * ${v.sx}u; j += at * ${v.sy}u;`
            : `i += at * p.a${axis}; j += at * p.b${axis};`;
        return axis === 0
          ? `at = rest; ${move}`
          : `at = rest % p.d${axis}; rest = rest / p.d${axis}; ${move}`;
      })}
      ${v.vec ? fourAtOnce(v) : "z[base] = f(x[i], y[j]);"}
      }
    }`;
  },
  dispatch: ({ count }, v) => linearGroups(Math.ceil(count / (v.vec ? 4 : 1) / RUN), 64),
  cost: ({ count }) => ({ bytes: 8 * count, flops: count }),
});

/** Parameters NAME0 .. NAME5, one for each axis. */
export function axisParams<N extends string>(name: N) {
  return Object.fromEntries(range(MAX_RANK).map((k) => [`${name}${k}`, "u32"])) as Record<
    `${N}${0 | 1 | 2 | 3 | 4 | 5}`,
    "u32"
  >;
}
