import { defineKernel, linearGroups, linearMain } from "./kernel.ts";
import { forEachInRow, rowGroups, runLengths } from "./runs.ts";

const sizes = { planes: "u32", height: "u32", width: "u32", oh: "u32", ow: "u32" } as const;
type Sizes = Record<keyof typeof sizes, number>;

export const resizeCost = (flops: number) => (p: Sizes) => ({
  bytes: 4 * p.planes * (p.height * p.width + p.oh * p.ow),
  flops: flops * p.planes * p.oh * p.ow,
});

/** WGSL of `var name = start / b` that walks on as `start` grows by `a`, without another division. */
const quotient = (name: string, start: string, a: string, b: string) => ({
  begin: `
      let whole = ${a} / ${b};
      let part = ${a} % ${b};
      var ${name} = (${start}) / ${b};
      var rest = (${start}) % ${b};`,
  next: `
        ${name} += whole;
        rest += part;
        if (rest >= ${b}) { rest -= ${b}; ${name}++; }`,
});

type NearestVariant = { adjoint: boolean; run: number };

const looks = quotient("j", "column * p.width", "p.width", "p.ow");
/** Outputs from ceil(j ow / width) on look at input j. */
const lookers = quotient("right", "(column + 1u) * p.ow + p.width - 1u", "p.ow", "p.width");

/**
 * y [planes, oh, ow] from x [planes, height, width], the input at floor(i in / out): in whole numbers, for a rounded
 * quotient would miss by one at exact multiples. With `adjoint` dx from dy.
 */
export const resizeNearest = defineKernel({
  name: "resize_nearest",
  bindings: { x: "read f32", y: "read_write f32" },
  params: sizes,
  variants: runLengths.flatMap((run) => [false, true].map((adjoint): NearestVariant => ({ adjoint, run }))),
  main: ({ adjoint, run }) =>
    adjoint
      ? forEachInRow(
          { run },
          {
            rows: "p.planes * p.height",
            columns: "p.width",
            once: `
      let i = row % p.height;
      let top = (i * p.oh + p.height - 1u) / p.height;
      let bottom = ((i + 1u) * p.oh + p.height - 1u) / p.height;
      let base = row / p.height * p.oh * p.ow;
      var left = (column * p.ow + p.width - 1u) / p.width;
      ${lookers.begin}`,
            body: `
        var total = 0.0;
        for (var o = top; o < bottom; o++) {
          for (var q = left; q < right; q++) { total += x[base + o * p.ow + q]; }
        }
        y[at] = total;
        left = right;
        ${lookers.next}`,
          },
        )
      : forEachInRow(
          { run },
          {
            rows: "p.planes * p.oh",
            columns: "p.ow",
            once: `
      let line = (row / p.oh * p.height + row % p.oh * p.height / p.oh) * p.width;
      ${looks.begin}`,
            body: `
        y[at] = x[line + j];
        ${looks.next}`,
          },
        ),
  dispatch: ({ planes, height, width, oh, ow }, v) =>
    v.adjoint ? rowGroups(planes * height, width, v) : rowGroups(planes * oh, ow, v),
  cost: resizeCost(0),
});

type BilinearVariant = { corners: boolean; run: number };
export const bilinearParams = { ...sizes, scaleY: "f32", scaleX: "f32" } as const;

/** Where output o looks on an axis of n inputs, PyTorch's conventions: between the two nearest, by proportion. */
export const place = (corners: boolean) => `
fn place(o: u32, n: u32, scale: f32) -> f32 {
  return min(${corners ? "f32(o) * scale" : "max((f32(o) + 0.5) * scale - 0.5, 0.0)"}, f32(n - 1u));
}`;

/**
 * y [planes, oh, ow] from x [planes, height, width]. scale is the step in x for one in y: (in - 1) / (out - 1) with
 * aligned corners, else in / out.
 */
export const resizeBilinear = defineKernel({
  name: "resize_bilinear",
  bindings: { x: "read f32", y: "read_write f32" },
  params: bilinearParams,
  lib: ({ corners }: BilinearVariant) => [
    place(corners),
    "fn between(a: f32, b: f32, w: f32) -> f32 { return a * (1.0 - w) + b * w; }",
  ],
  variants: runLengths.flatMap((run) => [false, true].map((corners): BilinearVariant => ({ corners, run }))),
  main: ({ run }) =>
    forEachInRow(
      { run },
      {
        rows: "p.planes * p.oh",
        columns: "p.ow",
        once: `
      let high = place(row % p.oh, p.height, p.scaleY);
      let i = u32(high);
      let down = high - f32(i);
      let upper = (row / p.oh * p.height + i) * p.width;
      let lower = upper + select(0u, p.width, i + 1u < p.height);
      var j = u32(place(column, p.width, p.scaleX));
      var a = between(x[upper + j], x[lower + j], down);
      var next = min(j + 1u, p.width - 1u);
      var b = between(x[upper + next], x[lower + next], down);`,
        body: `
        let to = place(column, p.width, p.scaleX);
        while (f32(j + 1u) <= to) {
          j++;
          next = min(j + 1u, p.width - 1u);
          a = b;
          b = between(x[upper + next], x[lower + next], down);
        }
        y[at] = between(a, b, to - f32(j));`,
      },
    ),
  dispatch: ({ planes, oh, ow }, v) => rowGroups(planes * oh, ow, v),
  cost: resizeCost(8),
});

type BilinearGradVariant = {
  corners: boolean;
  /** A thread gathers one dx, or walks over lines of dy for a line of dx: what a CPU driver likes. */
  by: "place" | "line";
};

/** dx [planes, height, width] from dy [planes, oh, ow]: the adjoint of resizeBilinear. */
export const resizeBilinearGrad = defineKernel({
  name: "resize_bilinear_grad",
  bindings: { dy: "read f32", dx: "read_write f32" },
  params: bilinearParams,
  lib: ({ corners }: BilinearGradVariant) => [
    place(corners),
    `
// With which weight output o sees input i of n.
fn weight(o: u32, i: u32, n: u32, scale: f32) -> f32 { return max(1.0 - abs(place(o, n, scale) - f32(i)), 0.0); }
// Outputs that may see input i, with one to spare on either side.
fn reach(i: u32, m: u32, scale: f32) -> vec2u {
  if (scale <= 0.0) { return vec2u(0u, m); }
  let low = (f32(i) - 1.0) / scale - 1.5;
  let high = (f32(i) + 1.5) / scale + 1.5;
  return vec2u(u32(max(low, 0.0)), min(u32(high) + 1u, m));
}`,
  ],
  variants: [false, true].flatMap((corners) =>
    (["place", "line"] as const).map((by): BilinearGradVariant => ({ corners, by })),
  ),
  main: ({ by }) => (by === "place" ? byPlace : byLine),
  dispatch: ({ planes, height, width }, { by }) =>
    linearGroups(planes * height * (by === "place" ? width : 1), 64),
  cost: resizeCost(8),
});

const byPlace = `
    ${linearMain(64)}
      if (thread >= p.planes * p.height * p.width) { return; }
      let j = thread % p.width;
      let i = thread / p.width % p.height;
      let base = thread / p.width / p.height * p.oh * p.ow;
      let rows = reach(i, p.oh, p.scaleY);
      let columns = reach(j, p.ow, p.scaleX);
      var total = 0.0;
      for (var o = rows.x; o < rows.y; o++) {
        let wy = weight(o, i, p.height, p.scaleY);
        if (wy > 0.0) {
          for (var q = columns.x; q < columns.y; q++) {
            let w = wy * weight(q, j, p.width, p.scaleX);
            if (w > 0.0) { total += w * dy[base + o * p.ow + q]; }
          }
        }
      }
      dx[thread] = total;
    }`;

const byLine = `
    ${linearMain(64)}
      if (thread >= p.planes * p.height) { return; }
      let i = thread % p.height;
      let base = thread / p.height * p.oh * p.ow;
      let rows = reach(i, p.oh, p.scaleY);
      let line = thread * p.width;
      var j = 0u; // between j and its neighbour stands what output q looks at
      var here = 0.0;
      var next = 0.0;
      for (var q = 0u; q < p.ow; q++) {
        let at = place(q, p.width, p.scaleX);
        while (f32(j + 1u) <= at) {
          dx[line + j] = here;
          here = next;
          next = 0.0;
          j++;
        }
        var total = 0.0;
        for (var o = rows.x; o < rows.y; o++) {
          let w = weight(o, i, p.height, p.scaleY);
          if (w > 0.0) { total += w * dy[base + o * p.ow + q]; }
        }
        here += total * (1.0 - (at - f32(j)));
        next += total * (at - f32(j));
      }
      for (; j < p.width; j++) {
        dx[line + j] = here;
        here = next;
        next = 0.0;
      }
    }`;
