import { defineKernel, linearGroups, linearMain } from "./kernel.ts";
import { bits } from "./lib/math.ts";
import { forEachInRow, rowGroups, runLengths } from "./runs.ts";

const windowParams = {
  planes: "u32",
  height: "u32",
  width: "u32",
  oh: "u32",
  ow: "u32",
  kh: "u32",
  kw: "u32",
  strideY: "u32",
  strideX: "u32",
  top: "u32",
  left: "u32",
} as const;

type AveragePoolVariant = {
  /** Gather the adjoint: every window that saw this input. */
  adjoint: boolean;
  /** Divide by the window's size with its padding, or by the inputs it really saw. */
  countPad: boolean;
  run: number;
};

/** Rows top to bottom that a row's windows see, and the left end of the first. */
const corners = `
      let top = max(i32(row % p.oh * p.strideY) - i32(p.top), 0);
      let bottom = min(i32(row % p.oh * p.strideY + p.kh) - i32(p.top), i32(p.height));
      let base = i32(row / p.oh * p.height * p.width);
      var corner = i32(column * p.strideX) - i32(p.left);`;
/** Columns left to right that one sees. */
const window = `
        let left = max(corner, 0);
        let right = min(corner + i32(p.kw), i32(p.width));
        corner += i32(p.strideX);`;
const mean = (countPad: boolean) => `
        ${window}
        var total = 0.0;
        for (var i = top; i < bottom; i++) {
          for (var j = left; j < right; j++) { total += x[base + i * i32(p.width) + j]; }
        }
        y[at] = total / ${countPad ? "f32(p.kh * p.kw)" : "f32((bottom - top) * (right - left))"};`;

// Windows low <= o < high cover a place; the next place leaves the first of them and enters another, or not.
const windows = `
      let line = row % p.height + p.top;
      let top = u32(max(i32(line + p.strideY) - i32(p.kh), 0)) / p.strideY;
      let bottom = min(line / p.strideY + 1u, p.oh);
      let base = row / p.height * p.oh * p.ow;
      var place = column + p.left;
      var low = u32(max(i32(place + p.strideX) - i32(p.kw), 0)) / p.strideX;
      var high = place / p.strideX + 1u;`;
const gather = (countPad: boolean) => `
        var total = 0.0;
        for (var i = top; i < bottom; i++) {
          for (var j = low; j < min(high, p.ow); j++) {
            total += x[base + i * p.ow + j]${countPad ? "" : " / (seen(i * p.strideY, p.kh, p.top, p.height) * seen(j * p.strideX, p.kw, p.left, p.width))"};
          }
        }
        y[at] = total${countPad ? " / f32(p.kh * p.kw)" : ""};
        place++;
        if (low * p.strideX + p.kw <= place) { low++; }
        if (high * p.strideX == place) { high++; }`;
const seen = `
// Real inputs of a line of n that a window sees which starts at \`first\` in padded places.
fn seen(first: u32, size: u32, before: u32, n: u32) -> f32 {
  return f32(min(first + size, before + n) - max(first, before));
}`;

/**
 * Means over windows: y [planes, oh, ow] from x [planes, height, width]; with `adjoint` y [planes, height, width] from
 * x [planes, oh, ow].
 */
export const averagePool = defineKernel({
  name: "average_pool",
  bindings: { x: "read f32", y: "read_write f32" },
  params: windowParams,
  lib: ({ adjoint, countPad }: AveragePoolVariant) => (adjoint && !countPad ? [seen] : []),
  variants: runLengths.flatMap((run) =>
    [false, true].flatMap((adjoint) =>
      [true, false].map((countPad): AveragePoolVariant => ({ adjoint, countPad, run })),
    ),
  ),
  main: ({ adjoint, countPad, run }) =>
    adjoint
      ? forEachInRow(
          { run },
          {
            rows: "p.planes * p.height",
            columns: "p.width",
            once: windows,
            body: gather(countPad),
          },
        )
      : forEachInRow(
          { run },
          { rows: "p.planes * p.oh", columns: "p.ow", once: corners, body: mean(countPad) },
        ),
  dispatch: ({ planes, height, width, oh, ow }, v) =>
    v.adjoint ? rowGroups(planes * height, width, v) : rowGroups(planes * oh, ow, v),
  cost: ({ planes, height, width, oh, ow, kh, kw }) => ({
    bytes: 4 * planes * (height * width + oh * ow),
    flops: planes * oh * ow * kh * kw,
  }),
});

/** y [planes, oh, ow], and the place in its map, h * width + w, of the first maximum in reading order. */
export const maxPool = defineKernel({
  name: "max_pool",
  bindings: { x: "read f32", y: "read_write f32", index: "read_write i32" },
  params: windowParams,
  lib: [bits],
  variants: runLengths.map((run) => ({ run })),
  main: ({ run }: { run: number }) =>
    forEachInRow(
      { run },
      {
        rows: "p.planes * p.oh",
        columns: "p.ow",
        once: corners,
        body: `
        ${window}
        var best = -1;
        var value = 0.0;
        for (var i = top; i < bottom; i++) {
          for (var j = left; j < right; j++) {
            let v = x[base + i * i32(p.width) + j];
            if (best < 0 || v > value || is_nan(v)) { best = i * i32(p.width) + j; value = v; }
          }
        }
        y[at] = value;
        index[at] = best;`,
      },
    ),
  dispatch: ({ planes, oh, ow }, v) => rowGroups(planes * oh, ow, v),
  cost: ({ planes, height, width, oh, ow, kh, kw }) => ({
    bytes: 4 * planes * (height * width + 2 * oh * ow),
    flops: planes * oh * ow * kh * kw,
  }),
});

type MaxPoolGradVariant = {
  /** A thread gathers for one input, or takes a map's dy to where they belong: for CPU drivers and many maps. */
  by: "place" | "plane";
};

/** dx [planes, height, width]: the sum of dy over the windows whose maximum stood here. */
export const maxPoolGrad = defineKernel({
  name: "max_pool_grad",
  bindings: { dy: "read f32", index: "read i32", dx: "read_write f32" },
  params: windowParams,
  variants: [{ by: "place" }, { by: "plane" }] as MaxPoolGradVariant[],
  main: ({ by }) => (by === "place" ? byPlace : byPlane),
  dispatch: ({ planes, height, width }, { by }) =>
    by === "place" ? linearGroups(planes * height * width, 64) : linearGroups(planes, PLANES),
  cost: ({ planes, height, width, oh, ow, kh, kw }) => ({
    bytes: 4 * planes * (height * width + 2 * oh * ow),
    flops: planes * height * width * kh * kw,
  }),
});

const byPlace = `
    ${linearMain(64)}
      if (thread >= p.planes * p.height * p.width) { return; }
      let here = i32(thread % (p.height * p.width));
      let plane = thread / (p.height * p.width) * p.oh * p.ow;
      let y0 = here / i32(p.width) + i32(p.top);
      let x0 = here % i32(p.width) + i32(p.left);
      var total = 0.0;
      for (var o = max(0, (y0 - i32(p.kh) + i32(p.strideY)) / i32(p.strideY)); o * i32(p.strideY) <= y0 && o < i32(p.oh); o++) {
        for (var q = max(0, (x0 - i32(p.kw) + i32(p.strideX)) / i32(p.strideX)); q * i32(p.strideX) <= x0 && q < i32(p.ow); q++) {
          let at = plane + u32(o) * p.ow + u32(q);
          if (index[at] == here) { total += dy[at]; }
        }
      }
      dx[thread] = total;
    }`;

/** Small workgroups spread the maps over the cores. */
const PLANES = 8;
const byPlane = `
    ${linearMain(PLANES)}
      if (thread >= p.planes) { return; }
      let inputs = p.height * p.width;
      let outputs = p.oh * p.ow;
      for (var i = thread * inputs; i < (thread + 1u) * inputs; i++) { dx[i] = 0.0; }
      for (var o = thread * outputs; o < (thread + 1u) * outputs; o++) {
        if (index[o] >= 0) { dx[thread * inputs + u32(index[o])] += dy[o]; }
      }
    }`;

/** y [planes, oh, ow] = x [planes, height, width] at the places in index: the adjoint of maxPoolGrad. */
export const takeIndexed = defineKernel({
  name: "take_indexed",
  bindings: { x: "read f32", index: "read i32", y: "read_write f32" },
  params: { planes: "u32", inputs: "u32", outputs: "u32" },
  variants: runLengths.map((run) => ({ run })),
  main: ({ run }: { run: number }) =>
    forEachInRow(
      { run },
      {
        rows: "p.planes",
        columns: "p.outputs",
        body: "y[at] = x[row * p.inputs + u32(index[at])];",
      },
    ),
  dispatch: ({ planes, outputs }, v) => rowGroups(planes, outputs, v),
  cost: ({ planes, outputs }) => ({ bytes: 12 * planes * outputs, flops: 0 }),
});
