import { defineKernel, range, unroll } from "./kernel.ts";
import { defineLanewise, vecCounts } from "./lanewise.ts";
import { math } from "./lib/math.ts";
import { elementType, forEachInRow, type RunVariant, rowGroups, runVariants } from "./runs.ts";

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

type BinaryVariant = { op: BinaryName; vecs: number };
const variants = names.flatMap((op) => vecCounts.map((vecs): BinaryVariant => ({ op, vecs })));

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
type BroadcastVariant = RunVariant & {
  op: BinaryName;
  rank: number;
  /** Steps of x and y on the last axis: 0 (stretched) or 1. */
  sx: number;
  sy: number;
};

const steps = [
  [1, 0],
  [0, 1],
  [1, 1],
] as const;

/**
 * z = f(x, y) with NumPy broadcasting over up to six axes; strides in elements. A row is the last axis, walked by sx and
 * sy; where it starts in x and y is found once a run.
 */
export const binaryBroadcast = defineKernel({
  name: "binary_broadcast",
  bindings: (v: BroadcastVariant) =>
    ({
      x: `read ${elementType(v.vec && v.sx === 1)}`,
      y: `read ${elementType(v.vec && v.sy === 1)}`,
      z: `read_write ${elementType(v.vec)}`,
    }) as const,
  params: {
    count: "u32",
    ...axisParams("d"),
    ...axisParams("a"),
    ...axisParams("b"),
  },
  lib,
  // An op is a function of two numbers, the walk around it of none: each walk with one op, and each op in one rank.
  variants: names.flatMap((op, i) =>
    (i === 0 ? [1, 2, 3, 4, 5, 6] : [2]).flatMap((rank) =>
      runVariants.flatMap((run) =>
        (i === 0 ? steps : steps.slice(0, 1)).map(
          ([sx, sy]): BroadcastVariant => ({ op, rank, ...run, sx, sy }),
        ),
      ),
    ),
  ),
  main: (v: BroadcastVariant) => {
    const last = v.rank - 1;
    const element = (array: string, start: string, step: number) => {
      if (step === 0) return `${elementType(v.vec)}(${array}[${start}])`;
      return v.vec ? `${array}[${start} / 4u + column]` : `${array}[${start} + column]`;
    };
    return `
    ${f(v.op)}
    ${forEachInRow(v, {
      rows: `p.count / p.d${last}`,
      columns: `p.d${last}`,
      once: `
      var rest = row;
      var i = 0u;
      var j = 0u;
      var place = 0u;
      ${unroll(last, (k) => {
        const axis = last - 1 - k;
        const split = axis === 0 ? "place = rest;" : `place = rest % p.d${axis}; rest = rest / p.d${axis};`;
        return `${split} i += place * p.a${axis}; j += place * p.b${axis};`;
      })}`,
      body: `
      let v = ${element("x", "i", v.sx)};
      let w = ${element("y", "j", v.sy)};
      z[at] = ${v.vec ? "vec4f(f(v.x, w.x), f(v.y, w.y), f(v.z, w.z), f(v.w, w.w))" : "f(v, w)"};`,
    })}`;
  },
  dispatch: (p, v) => {
    const columns = p[`d${v.rank - 1}` as "d0"];
    return rowGroups(p.count / columns, columns, v);
  },
  cost: ({ count }) => ({ bytes: 8 * count, flops: count }),
});

/** Parameters NAME0 .. NAME5, one for each axis. */
export function axisParams<N extends string>(name: N) {
  return Object.fromEntries(range(MAX_RANK).map((k) => [`${name}${k}`, "u32"])) as Record<
    `${N}${0 | 1 | 2 | 3 | 4 | 5}`,
    "u32"
  >;
}
