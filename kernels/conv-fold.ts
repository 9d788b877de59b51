import { phaseOf, phaseParams } from "./conv-phases.ts";
import { defineKernel, linearGroups, linearMain, unroll } from "./kernel.ts";

/**
 * The sums of a stride's gradient on a CPU driver: y [images, m, oh, ow] from what each place of x adds to each tap's output,
 * z [images, m kh kw, height width], a matrix product of weights and x. A thread sums a row's outputs of one class, as
 * conv-phases.ts has them, which see neighbours; rows and columns that no tap serves are zero.
 */
export const convFold = defineKernel({
  name: "conv_fold",
  bindings: { z: "read f32", y: "read_write f32" },
  params: { planes: "u32", ...phaseParams },
  lib: [phaseOf],
  variants: [{}],
  main: () => `
    ${linearMain(64)}
      let ix = thread % p.stepX;
      let line = thread / p.stepX;
      let iy = line / p.rows % p.stepY;
      let plane = line / (p.rows * p.stepY);
      let py = phaseOf(iy, p.stepY, p.apartY, p.dilationY, p.top, p.kh);
      let px = phaseOf(ix, p.stepX, p.apartX, p.dilationX, p.left, p.kw);
      let row = line % p.rows * p.stepY + u32(py.place);
      if (plane >= p.planes || row >= p.oh) { return; }
      let nearY = i32(p.dilationY * p.apartY / p.stepY);
      let nearX = i32(p.dilationX * p.apartX / p.stepX);
      let size = p.height * p.width;
      let top = i32(line % p.rows) + py.origin;
      // Taps are told backwards.
      let lastTap = ((plane + 1u) * p.kh - 1u - py.first) * p.kw + p.kw - 1u - px.first;
      let start = (plane * p.oh + row) * p.ow;
      for (var b = 0u; b < p.columns; b += 4u) {
        var sum = vec4f();
        for (var ty = 0u; ty < py.taps; ty++) {
          let v = top + i32(ty) * nearY;
          if (v < 0 || v >= i32(p.height)) { continue; }
          for (var tx = 0u; tx < px.taps; tx++) {
            let u = i32(b) + px.origin + i32(tx) * nearX;
            let at = i32((lastTap - ty * p.apartY * p.kw - tx * p.apartX) * size + u32(v) * p.width) + u;
            ${unroll(4, (q) => `let in${q} = u + ${q} >= 0 && u + ${q} < i32(p.width);`, " ")}
            sum += vec4f(${[0, 1, 2, 3].map((q) => `select(0.0, z[select(0, at + ${q}, in${q})], in${q})`).join(", ")});
          }
        }
        ${unroll(
          4,
          (q) => `{
          let column = (b + ${q}u) * p.stepX + u32(px.place);
          if (column < p.ow) { y[start + column] = sum[${q}]; }
        }`,
        )}
      }
    }`,
  dispatch: ({ planes, rows, stepY, stepX }) => linearGroups(planes * rows * stepY * stepX, 64),
  cost: ({ planes, height, width, oh, ow, kh, kw }) => ({
    bytes: 4 * planes * (kh * kw * height * width + oh * ow),
    flops: planes * kh * kw * height * width,
  }),
});
