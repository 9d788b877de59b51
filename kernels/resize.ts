import { defineKernel, linearGroups, linearMain } from "./kernel.ts";

export type ResizeVariant = { mode: "bilinear" | "corners" | "nearest"; adjoint: boolean };

/** Where output o looks on an axis of n inputs: two neighbours and the weight of the second. PyTorch's conventions. */
const place = {
  corners: `let at = f32(o) * scale; let low = min(u32(floor(at)), n - 1u);
    return Look(low, min(low + 1u, n - 1u), at - f32(low));`,
  bilinear: `let at = max((f32(o) + 0.5) * scale - 0.5, 0.0); let low = min(u32(floor(at)), n - 1u);
    return Look(low, min(low + 1u, n - 1u), at - f32(low));`,
  // Whole numbers: a rounded scale would miss by one at exact multiples.
  nearest: `let low = min(o * n / m, n - 1u); return Look(low, low, 0.0);`,
};

const params = {
  planes: "u32",
  height: "u32",
  width: "u32",
  oh: "u32",
  ow: "u32",
  scaleY: "f32",
  scaleX: "f32",
} as const;

/**
 * y [planes, oh, ow] from x [planes, height, width]; with `adjoint` dx from dy. scale is the step in x for one in
 * y: (in - 1) / (out - 1) with aligned corners, else in / out.
 */
export const resize = defineKernel({
  name: "resize",
  bindings: { x: "read f32", y: "read_write f32" },
  params,
  variants: (["bilinear", "corners", "nearest"] as const).flatMap((mode) =>
    [false, true].map((adjoint): ResizeVariant => ({ mode, adjoint })),
  ),
  main: (v: ResizeVariant) => `
    struct Look { low: u32, high: u32, w: f32 }
    fn look(o: u32, n: u32, m: u32, scale: f32) -> Look { ${place[v.mode]} }
    ${
      v.adjoint
        ? `// The weight with which output o sees input i.
    fn weight(o: u32, i: u32, n: u32, m: u32, scale: f32) -> f32 {
      let l = look(o, n, m, scale);
      return select(0.0, 1.0 - l.w, l.low == i) + select(0.0, l.w, l.high == i);
    }
    // Outputs that may see input i, with one to spare on either side.
    fn reach(i: u32, m: u32, scale: f32) -> vec2u {
      if (scale <= 0.0) { return vec2u(0u, m); }
      let low = (f32(i) - 1.5) / scale - 2.0;
      let high = (f32(i) + 1.5) / scale + 2.0;
      return vec2u(u32(max(low, 0.0)), min(u32(max(high, 0.0)) + 1u, m));
    }
    ${linearMain(64)}
      if (thread >= p.planes * p.height * p.width) { return; }
      let j = thread % p.width;
      let i = thread / p.width % p.height;
      let base = thread / p.width / p.height * p.oh * p.ow;
      let rows = reach(i, p.oh, p.scaleY);
      let columns = reach(j, p.ow, p.scaleX);
      var total = 0.0;
      for (var o = rows.x; o < rows.y; o++) {
        let wy = weight(o, i, p.height, p.oh, p.scaleY);
        if (wy != 0.0) {
          for (var q = columns.x; q < columns.y; q++) {
            total += wy * weight(q, j, p.width, p.ow, p.scaleX) * x[base + o * p.ow + q];
          }
        }
      }
      y[thread] = total;
    }`
        : `${linearMain(64)}
      if (thread >= p.planes * p.oh * p.ow) { return; }
      let a = look(thread / p.ow % p.oh, p.height, p.oh, p.scaleY);
      let b = look(thread % p.ow, p.width, p.ow, p.scaleX);
      let base = thread / p.ow / p.oh * p.height * p.width;
      let upper = base + a.low * p.width;
      let lower = base + a.high * p.width;
      let top = x[upper + b.low] * (1.0 - b.w) + x[upper + b.high] * b.w;
      let bottom = x[lower + b.low] * (1.0 - b.w) + x[lower + b.high] * b.w;
      y[thread] = top * (1.0 - a.w) + bottom * a.w;
    }`
    }`,
  dispatch: ({ planes, height, width, oh, ow }, { adjoint }) =>
    linearGroups(planes * (adjoint ? height * width : oh * ow), 64),
  cost: ({ planes, height, width, oh, ow }) => ({
    bytes: 4 * planes * (height * width + oh * ow),
    flops: 8 * planes * oh * ow,
  }),
});
