import { defineKernel, linearGroups, linearMain, range, unroll } from "./kernel.ts";
import { bits } from "./lib/math.ts";

/*
 * Pools at stride 1, whose windows overlap: a thread goes down a strip of the image and joins each line of inputs once,
 * kw neighbours at a time, then the joined lines of the last kh rows.
 */

export type SlidingVariant = {
  kh: number;
  kw: number;
  /** Rows a thread goes down: a CPU driver likes long walks, a GPU more threads. */
  rows: number;
};

/** Windows the networks use and odd ones beside them; others compile on demand. */
const variants: readonly SlidingVariant[] = [4, 16].flatMap((rows) => [
  { kh: 5, kw: 5, rows },
  { kh: 3, kw: 2, rows },
  { kh: 1, kw: 4, rows },
]);

export const slidingParams = {
  planes: "u32",
  height: "u32",
  width: "u32",
  oh: "u32",
  ow: "u32",
  /** Rows and columns of padding before x. */
  top: "i32",
  left: "i32",
} as const;
export type SlidingParams = Record<keyof typeof slidingParams, number>;

const dispatch = ({ planes, oh, ow }: SlidingParams, { rows }: SlidingVariant) =>
  linearGroups(planes * Math.ceil(oh / rows) * Math.ceil(ow / STRIP), 64);

/** Neighbouring columns of a thread. */
const STRIP = 4;

/**
 * WGSL of the walk. Of each line vec4s are `kept`, NAME0 of the oldest. `join` sets the newest, from inputs x0, x1, ...
 * at places at0, at1, ... of their map, -1 outside of it; `result` computes from all of it what is `written` to each
 * array.
 */
function walk(
  { kh, kw, rows }: SlidingVariant,
  {
    kept,
    join,
    result,
    written,
  }: {
    kept: Record<string, "vec4f" | "vec4i">;
    join: string;
    result: string;
    written: Record<string, string>;
  },
): string {
  const inputs = range(STRIP + kw - 1);
  const names = Object.keys(kept);
  const write = (c: number) =>
    Object.entries(written)
      .map(([array, value]) => `${array}[out + ${c}u] = ${value}[${c}];`)
      .join(" ");
  return `
    ${linearMain(64)}
      let across = (p.ow + ${STRIP - 1}u) / ${STRIP}u;
      let down = (p.oh + ${rows - 1}u) / ${rows}u;
      let strip = thread / across;
      let plane = strip / down;
      if (plane >= p.planes) { return; }
      let column = (thread - strip * across) * ${STRIP}u;
      let row = (strip - plane * down) * ${rows}u;
      let first = i32(row) - p.top;
      let last = i32(min(row + ${rows}u, p.oh)) - p.top + ${kh - 1};
      let width = i32(p.width);
      let base = i32(plane * p.height) * width;
      ${inputs.map((k) => `let c${k} = i32(column) - p.left + ${k}; let in${k} = c${k} >= 0 && c${k} < width;`).join("\n")}
      ${names.map((name) => unroll(kh, (r) => `var ${name}${r} = ${kept[name]}();`, " ")).join("\n")}
      var out = (plane * p.oh + row) * p.ow + column;
      for (var i = first; i < last; i++) {
        let inside = i >= 0 && i < i32(p.height);
        ${inputs.map((k) => `let at${k} = select(-1, i * width + c${k}, inside && in${k}); let x${k} = select(0.0, x[base + max(at${k}, 0)], at${k} >= 0);`).join("\n")}
        ${names.map((name) => unroll(kh - 1, (r) => `${name}${r} = ${name}${r + 1};`, " ")).join("\n")}
        ${join}
        if (i >= first + ${kh - 1}) {
          ${result}
          ${unroll(STRIP, (c) => `${c === 0 ? "" : `if (column + ${c}u < p.ow) `}{ ${write(c)} }`)}
          out += p.ow;
        }
      }
    }`;
}

/** The inputs NAMEk, NAME(k + 1), ... that are k-th in the windows of a strip. */
const four = (type: "vec4f" | "vec4i", name: string, k: number) =>
  `${type}(${range(STRIP).map((c) => `${name}${c + k}`)})`;

/**
 * Means over kh x kw windows that count their padding: y [planes, oh, ow] from x [planes, height, width]. The adjoint
 * is the same with kh - 1 - top and kw - 1 - left.
 */
export const slidingMean = defineKernel({
  name: "sliding_mean",
  bindings: { x: "read f32", y: "read_write f32" },
  params: slidingParams,
  variants,
  main: (v: SlidingVariant) =>
    walk(v, {
      kept: { s: "vec4f" },
      join: `s${v.kh - 1} = ${unroll(v.kw, (k) => four("vec4f", "x", k), " + ")};`,
      result: `let mean = (${unroll(v.kh, (r) => `s${r}`, " + ")}) / ${v.kh * v.kw}.0;`,
      written: { y: "mean" },
    }),
  dispatch,
  cost: ({ planes, height, width, oh, ow }, { kh, kw }) => ({
    bytes: 4 * planes * (height * width + oh * ow),
    flops: planes * oh * ow * (kh + kw),
  }),
});

/** Largest values with their places: a later one takes over where it is larger, or NaN. */
const later = (value: string, at: string, otherValue: string, otherAt: string) => `{
          let v = ${otherValue};
          let j = ${otherAt};
          let wins = (j >= vec4i()) & ((${at} < vec4i()) | (v > ${value}) | is_nan4(v));
          ${value} = select(${value}, v, wins);
          ${at} = select(${at}, j, wins);
        }`;
const isNan4 =
  "fn is_nan4(v: vec4f) -> vec4<bool> { return vec4<bool>(is_nan(v.x), is_nan(v.y), is_nan(v.z), is_nan(v.w)); }";

/** maxPool at stride 1. */
export const slidingMax = defineKernel({
  name: "sliding_max",
  bindings: { x: "read f32", y: "read_write f32", index: "read_write i32" },
  params: slidingParams,
  lib: [bits, isNan4],
  variants,
  main: (v: SlidingVariant) =>
    walk(v, {
      kept: { v: "vec4f", j: "vec4i" },
      join: `
        var value = ${four("vec4f", "x", 0)};
        var place = ${four("vec4i", "at", 0)};
        ${unroll(v.kw - 1, (k) => later("value", "place", four("vec4f", "x", k + 1), four("vec4i", "at", k + 1)))}
        v${v.kh - 1} = value;
        j${v.kh - 1} = place;`,
      result: `
          var best = v0;
          var bestAt = j0;
          ${unroll(v.kh - 1, (r) => later("best", "bestAt", `v${r + 1}`, `j${r + 1}`))}`,
      written: { y: "best", index: "bestAt" },
    }),
  dispatch,
  cost: ({ planes, height, width, oh, ow }, { kh, kw }) => ({
    bytes: 4 * planes * (height * width + 2 * oh * ow),
    flops: planes * oh * ow * (kh + kw),
  }),
});
