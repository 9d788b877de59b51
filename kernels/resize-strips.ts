import { defineKernel, type Hardware, linearGroups, linearMain, unroll } from "./kernel.ts";
import { bilinearParams, place, resizeCost } from "./resize.ts";

/*
 * Bilinear resizing: a thread goes down a strip of rows, a long one on CPU drivers. Where it looks along x, and by what
 * proportion, it reckons once; a line of inputs it joins along x once, for all rows that look at it.
 */

type StripVariant = {
  corners: boolean;
  /** Rows of a thread. */
  rows: number;
};

/** Rows of a thread that has many. */
const LONG = 32;
const THREADS = { few: 8, many: 256 };
/** Threads of a workgroup: few where each has much to do, so that small tensors too keep a CPU's cores busy. */
const threads = ({ rows }: Pick<StripVariant, "rows">): number => (rows < LONG ? THREADS.many : THREADS.few);

/** The usual rows of a thread. */
export const stripRows = ({ kind }: Hardware, adjoint: boolean): number =>
  kind === "cpu" ? LONG : adjoint ? 16 : 4;

/** resizeBilinear by vec4s: ow is a multiple of 4. */
export const bilinearStrips = defineKernel({
  name: "bilinear_strips",
  bindings: { x: "read f32", y: "read_write vec4f" },
  params: bilinearParams,
  lib: ({ corners }: StripVariant) => [
    place(corners),
    `
fn between4(a: vec4f, b: vec4f, w: vec4f) -> vec4f { return a * (1.0 - w) + b * w; }
fn joined(line: u32, left: vec4u, right: vec4u, w: vec4f) -> vec4f {
  let a = vec4f(${unroll(4, (c) => `x[line + left[${c}]]`, ", ")});
  let b = vec4f(${unroll(4, (c) => `x[line + right[${c}]]`, ", ")});
  return between4(a, b, w);
}`,
  ],
  variants: [8, LONG].flatMap((rows) => [false, true].map((corners): StripVariant => ({ corners, rows }))),
  main: (v) => `
    ${linearMain(threads(v))}
      let across = p.ow / 4u;
      let down = (p.oh + ${v.rows - 1}u) / ${v.rows}u;
      let strip = thread / across;
      let plane = strip / down;
      if (plane >= p.planes) { return; }
      let column = thread - strip * across;
      let row = (strip - plane * down) * ${v.rows}u;
      let looks = vec4f(${unroll(4, (c) => `place(4u * column + ${c}u, p.width, p.scaleX)`, ", ")});
      let left = vec4u(looks);
      let right = min(left + 1u, vec4u(p.width - 1u));
      let w = looks - vec4f(left);
      let base = plane * p.height * p.width;
      var i = u32(place(row, p.height, p.scaleY));
      var upper = joined(base + i * p.width, left, right, w);
      var lower = joined(base + min(i + 1u, p.height - 1u) * p.width, left, right, w);
      let end = min(row + ${v.rows}u, p.oh);
      for (var o = row; o < end; o++) {
        let at = place(o, p.height, p.scaleY);
        let to = u32(at);
        if (to != i) {
          upper = lower;
          if (to != i + 1u) { upper = joined(base + to * p.width, left, right, w); }
          lower = joined(base + min(to + 1u, p.height - 1u) * p.width, left, right, w);
          i = to;
        }
        y[(plane * p.oh + o) * across + column] = between4(upper, lower, vec4f(at - f32(to)));
      }
    }`,
  dispatch: ({ planes, oh, ow }, v) => linearGroups((planes * Math.ceil(oh / v.rows) * ow) / 4, threads(v)),
  cost: resizeCost(8),
});

type StripGradVariant = StripVariant & {
  /** Most neighbouring outputs that look between one input and the two beside it. */
  taps: number;
};

/** More are not unrolled. */
const MAX_TAPS = 8;

/**
 * How many neighbouring outputs may see an input along an axis that is taken from `from` places to `to`: those between two
 * places of the inputs and their own, 2 / scale wide. Undefined where the axis has no scale or they are too many.
 */
function tapsOf(from: number, to: number, corners: boolean): number | undefined {
  if (corners && Math.min(from, to) < 2) return undefined;
  const taps = Math.ceil(corners ? (2 * (to - 1)) / (from - 1) : (2 * to) / from);
  // Beyond, places are rounded too far, or the products in `first` would not fit.
  return taps <= MAX_TAPS && Math.max(from, to) <= 4096 ? taps : undefined;
}

/** The variant for images of `from` to `to`, if any: height and width each. */
export function stripGradVariant(
  hw: Hardware,
  corners: boolean,
  from: readonly [number, number],
  to: readonly [number, number],
): StripGradVariant | undefined {
  const taps = tapsOf(from[1], to[1], corners);
  return taps !== undefined && tapsOf(from[0], to[0], corners) !== undefined
    ? { corners, rows: stripRows(hw, true), taps }
    : undefined;
}

/** The first of m outputs that sees input i of n, in whole numbers: it looks behind input i - 1. */
const first = (corners: boolean) =>
  corners
    ? "fn first(i: u32, n: u32, m: u32) -> u32 { return select((i - 1u) * (m - 1u) / (n - 1u) + 1u, 0u, i == 0u); }"
    : `
fn first(i: u32, n: u32, m: u32) -> u32 {
  let past = i32((2u * i - 1u) * m) - i32(n);
  return select(u32(past) / (2u * n) + 1u, 0u, i == 0u || past < 0);
}`;

/** resizeBilinearGrad: a thread adds up a column of dx, row by row, from the few outputs that see it. */
export const bilinearStripsGrad = defineKernel({
  name: "bilinear_strips_grad",
  bindings: { dy: "read f32", dx: "read_write f32" },
  params: bilinearParams,
  lib: ({ corners }: StripGradVariant) => [place(corners), first(corners)],
  variants: [
    { corners: false, rows: 8, taps: 4 },
    { corners: true, rows: 8, taps: 5 },
    { corners: false, rows: LONG, taps: 4 },
  ] as StripGradVariant[],
  main: ({ rows, taps }) => `
    ${linearMain(threads({ rows }))}
      let down = (p.height + ${rows - 1}u) / ${rows}u;
      let strip = thread / p.width;
      let plane = strip / down;
      if (plane >= p.planes) { return; }
      let j = thread - strip * p.width;
      let row = (strip - plane * down) * ${rows}u;
      let end = min(row + ${rows}u, p.height);
      let q = first(j, p.width, p.ow);
      ${unroll(
        taps,
        (t) => `
      let q${t} = min(q + ${t}u, p.ow - 1u);
      let w${t} = select(0.0, max(1.0 - abs(place(q${t}, p.width, p.scaleX) - f32(j)), 0.0), q + ${t}u < p.ow);`,
      )}
      let last = select(p.oh, first(end + 1u, p.height, p.oh), end < p.height);
      // Between row i and the next looks the output at hand; the first ones may look between this strip and the one before.
      var i = i32(row) - 1;
      var here = 0.0;
      var next = 0.0;
      for (var o = first(row, p.height, p.oh); o < last; o++) {
        let line = (plane * p.oh + o) * p.ow;
        let total = ${unroll(taps, (t) => `w${t} * dy[line + q${t}]`, " + ")};
        let at = place(o, p.height, p.scaleY);
        while (f32(i + 1) <= at) {
          if (i >= i32(row)) { dx[(plane * p.height + u32(i)) * p.width + j] = here; }
          here = next;
          next = 0.0;
          i++;
        }
        here += total * (1.0 - (at - f32(i)));
        next += total * (at - f32(i));
      }
      for (; i < i32(end); i++) {
        if (i >= i32(row)) { dx[(plane * p.height + u32(i)) * p.width + j] = here; }
        here = next;
        next = 0.0;
      }
    }`,
  dispatch: ({ planes, height, width }, v) =>
    linearGroups(planes * Math.ceil(height / v.rows) * width, threads(v)),
  cost: resizeCost(8),
});
