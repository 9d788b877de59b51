import { defineKernel, linearGroups, linearMain } from "./kernel.ts";
import { bits } from "./lib/math.ts";

/*
 * Average pooling is separable: a sum along rows, then one along columns (5 + 5 reads instead of 25 for the
 * refine blocks' 5 x 5). Both steps, and their adjoints, are one kernel over [outer, length, inner].
 */

export type PoolLineVariant = {
  /** Gather the adjoint: every window that saw this input. */
  adjoint: boolean;
  /** Divide by the window's size with its padding, or by the inputs it really saw. */
  countPad: boolean;
};

/** y [outer, outputs, inner] from x [outer, inputs, inner]: means over windows of `size` neighbours, or the adjoint. */
export const poolLine = defineKernel({
  name: "pool_line",
  bindings: { x: "read f32", y: "read_write f32" },
  params: {
    outer: "u32",
    inputs: "u32",
    outputs: "u32",
    inner: "u32",
    size: "u32",
    stride: "u32",
    before: "u32",
    after: "u32",
  },
  variants: [true, false].flatMap((adjoint) =>
    [true, false].map((countPad): PoolLineVariant => ({ adjoint, countPad })),
  ),
  main: (v: PoolLineVariant) => `
    // Inputs a window starting at first (in padded positions) is divided by, for a line of length n.
    fn weight(first: i32, n: i32) -> f32 {
      let low = first - i32(p.before);
      ${
        v.countPad
          ? "return f32(min(i32(p.size), n + i32(p.before + p.after) - first));"
          : "return f32(min(low + i32(p.size), n) - max(low, 0));"
      }
    }
    ${linearMain(64)}
      if (thread >= p.outer * p.outputs * p.inner) { return; }
      let at = i32(thread / p.inner % p.outputs);
      let base = thread / p.inner / p.outputs * p.inputs * p.inner + thread % p.inner;
      var total = 0.0;
      ${
        v.adjoint
          ? `let padded = at + i32(p.before);
      let low = max(0, (padded - i32(p.size) + i32(p.stride)) / i32(p.stride));
      for (var o = low; o * i32(p.stride) <= padded && o < i32(p.inputs); o++) {
        if (padded - o * i32(p.stride) < i32(p.size)) {
          total += x[base + u32(o) * p.inner] / weight(o * i32(p.stride), i32(p.outputs));
        }
      }
      y[thread] = total;`
          : `let first = at * i32(p.stride);
      let low = max(first - i32(p.before), 0);
      let high = min(first - i32(p.before) + i32(p.size), i32(p.inputs));
      for (var i = low; i < high; i++) { total += x[base + u32(i) * p.inner]; }
      y[thread] = total / weight(first, i32(p.inputs));`
      }
    }`,
  dispatch: ({ outer, outputs, inner }) => linearGroups(outer * outputs * inner, 64),
  cost: ({ outer, inputs, outputs, inner, size }) => ({
    bytes: 4 * outer * inner * (inputs + outputs),
    flops: outer * outputs * inner * size,
  }),
});

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
