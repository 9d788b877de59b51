import { defineKernel, linearGroups, linearMain, range, unroll } from "./kernel.ts";
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

export type AveragePoolVariant = {
  /** Gather the adjoint: every window that saw this input. */
  adjoint: boolean;
  /** Divide by the window's size with its padding, or by the inputs it really saw. */
  countPad: boolean;
  run: number;
};

const means = `
      let top = max(i32(row % p.oh * p.strideY) - i32(p.top), 0);
      let bottom = min(i32(row % p.oh * p.strideY + p.kh) - i32(p.top), i32(p.height));
      let base = i32(row / p.oh * p.height * p.width);
      var corner = i32(column * p.strideX) - i32(p.left);`;
const mean = (countPad: boolean) => `
        let left = max(corner, 0);
        let right = min(corner + i32(p.kw), i32(p.width));
        var total = 0.0;
        for (var i = top; i < bottom; i++) {
          for (var j = left; j < right; j++) { total += x[base + i * i32(p.width) + j]; }
        }
        y[row * p.ow + column] = total / ${countPad ? "f32(p.kh * p.kw)" : "f32((bottom - top) * (right - left))"};
        corner += i32(p.strideX);`;

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
        y[row * p.width + column] = total${countPad ? " / f32(p.kh * p.kw)" : ""};
        place++;
        if (low * p.strideX + p.kw <= place) { low++; }
        if (high * p.strideX == place) { high++; }`;
const seen = `
// Real inputs of a line of n that a window sees which starts at \`first\` in padded places.
fn seen(first: u32, size: u32, before: u32, n: u32) -> f32 {
  return f32(min(first + size, before + n) - max(first, before));
}`;

/** Means over windows: y [planes, oh, ow] from x [planes, height, width]; with \`adjoint\` y [planes, height, width] from x [planes, oh, ow]. */
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
      ? forEachInRow(run, {
          rows: "p.planes * p.height",
          columns: "p.width",
          once: windows,
          body: gather(countPad),
        })
      : forEachInRow(run, { rows: "p.planes * p.oh", columns: "p.ow", once: means, body: mean(countPad) }),
  dispatch: ({ planes, height, width, oh, ow }, { adjoint, run }) =>
    adjoint ? rowGroups(planes * height, width, run) : rowGroups(planes * oh, ow, run),
  cost: ({ planes, height, width, oh, ow, kh, kw }) => ({
    bytes: 4 * planes * (height * width + oh * ow),
    flops: planes * oh * ow * kh * kw,
  }),
});

export type SlidingMeanVariant = {
  kh: number;
  kw: number;
  /** Rows a thread goes down, the sums of the last kh kept. */
  rows: number;
};

/** Neighbouring columns of a thread. */
const STRIP = 4;

/**
 * Means over kh x kw windows at stride 1 that count their padding: y [planes, oh, ow] from x [planes, height, width].
 * The adjoint is the same with kh - 1 - top and kw - 1 - left.
 */
export const slidingMean = defineKernel({
  name: "sliding_mean",
  bindings: { x: "read f32", y: "read_write f32" },
  params: { planes: "u32", height: "u32", width: "u32", oh: "u32", ow: "u32", top: "i32", left: "i32" },
  variants: [4, 16].flatMap((rows) =>
    [
      [5, 5],
      [3, 2],
      [1, 4],
    ].map(([kh, kw]): SlidingMeanVariant => ({ kh: kh!, kw: kw!, rows })),
  ),
  main: ({ kh, kw, rows }) => `
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
      ${unroll(STRIP + kw - 1, (k) => `let c${k} = i32(column) - p.left + ${k}; let in${k} = c${k} >= 0 && c${k} < i32(p.width);`)}
      ${unroll(kh, (r) => `var s${r} = vec4f();`, " ")}
      var line = i32(plane * p.height * p.width) + first * i32(p.width);
      var out = (plane * p.oh + row) * p.ow + column;
      for (var i = first; i < last; i++) {
        let inside = i >= 0 && i < i32(p.height);
        ${unroll(STRIP + kw - 1, (k) => `let x${k} = select(0.0, x[line + c${k}], inside && in${k});`)}
        ${unroll(kh - 1, (r) => `s${r} = s${r + 1};`, " ")}
        s${kh - 1} = ${unroll(kw, (k) => `vec4f(${range(STRIP).map((c) => `x${c + k}`)})`, " + ")};
        if (i >= first + ${kh - 1}) {
          let mean = (${unroll(kh, (r) => `s${r}`, " + ")}) / ${kh * kw}.0;
          ${unroll(STRIP, (c) => `${c === 0 ? "" : `if (column + ${c}u < p.ow) `}{ y[out + ${c}u] = mean[${c}]; }`)}
          out += p.ow;
        }
        line += i32(p.width);
      }
    }`,
  dispatch: ({ planes, oh, ow }, { rows }) =>
    linearGroups(planes * Math.ceil(oh / rows) * Math.ceil(ow / STRIP), 64),
  cost: ({ planes, height, width, oh, ow }, { kh, kw }) => ({
    bytes: 4 * planes * (height * width + oh * ow),
    flops: planes * oh * ow * (kh + kw),
  }),
});

/** y [planes, oh, ow], and the place in its map, h * width + w, of the first maximum in reading order. */
export const maxPool = defineKernel({
  name: "max_pool",
  bindings: { x: "read f32", y: "read_write f32", index: "read_write i32" },
  params: windowParams,
  lib: [bits],
  variants: [{}],
  main: () => `
    ${linearMain(64)}
      if (thread >= p.planes * p.oh * p.ow) { return; }
      let y0 = i32(thread / p.ow % p.oh * p.strideY) - i32(p.top);
      let x0 = i32(thread % p.ow * p.strideX) - i32(p.left);
      let base = thread / p.ow / p.oh * p.height * p.width;
      var best = -1;
      var value = 0.0;
      for (var i = max(y0, 0); i < min(y0 + i32(p.kh), i32(p.height)); i++) {
        for (var j = max(x0, 0); j < min(x0 + i32(p.kw), i32(p.width)); j++) {
          let here = i * i32(p.width) + j;
          let v = x[base + u32(here)];
          if (best < 0 || v > value || is_nan(v)) { best = here; value = v; }
        }
      }
      y[thread] = value;
      index[thread] = best;
    }`,
  dispatch: ({ planes, oh, ow }) => linearGroups(planes * oh * ow, 64),
  cost: ({ planes, height, width, oh, ow, kh, kw }) => ({
    bytes: 4 * planes * (height * width + 2 * oh * ow),
    flops: planes * oh * ow * kh * kw,
  }),
});

/** dx [planes, height, width]: the sum of dy over the windows whose maximum stood here. */
export const maxPoolGrad = defineKernel({
  name: "max_pool_grad",
  bindings: { dy: "read f32", index: "read i32", dx: "read_write f32" },
  params: windowParams,
  variants: [{}],
  main: () => `
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
    }`,
  dispatch: ({ planes, height, width }) => linearGroups(planes * height * width, 64),
  cost: ({ planes, height, width, oh, ow, kh, kw }) => ({
    bytes: 4 * planes * (height * width + 2 * oh * ow),
    flops: planes * height * width * kh * kw,
  }),
});

/** y [planes, oh, ow] = x [planes, height, width] at the places in index: the adjoint of maxPoolGrad. */
export const takeIndexed = defineKernel({
  name: "take_indexed",
  bindings: { x: "read f32", index: "read i32", y: "read_write f32" },
  params: { planes: "u32", inputs: "u32", outputs: "u32" },
  variants: [{}],
  main: () => `
    ${linearMain(64)}
      if (thread >= p.planes * p.outputs) { return; }
      y[thread] = x[thread / p.outputs * p.inputs + u32(index[thread])];
    }`,
  dispatch: ({ planes, outputs }) => linearGroups(planes * outputs, 64),
  cost: ({ planes, outputs }) => ({ bytes: 12 * planes * outputs, flops: 0 }),
});
