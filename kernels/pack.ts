import { defineKernel, linearGroups, linearMain, unroll } from "./kernel.ts";

/**
 * y [batch, rows, columns rounded up to 4] from any strided matrices, zeros in the added columns: the layout
 * in which the register-tiled kernels read four neighbours at once. Strides in elements.
 */
export const pack = defineKernel({
  name: "pack",
  bindings: { x: "read f32", y: "read_write vec4f" },
  params: {
    batch: "u32",
    rows: "u32",
    columns: "u32",
    batchStride: "u32",
    rowStride: "u32",
    columnStride: "u32",
  },
  variants: [{}],
  main: () => `
    ${linearMain(64)}
      let vecs = (p.columns + 3u) / 4u;
      let c = (thread % vecs) * 4u;
      let line = thread / vecs;
      if (line >= p.batch * p.rows) { return; }
      let at = (line / p.rows) * p.batchStride + (line % p.rows) * p.rowStride + c * p.columnStride;
      ${unroll(4, (q) => `let v${q} = select(0.0, x[at + ${q}u * p.columnStride], c + ${q}u < p.columns);`)}
      y[thread] = vec4f(v0, v1, v2, v3);
    }`,
  dispatch: ({ batch, rows, columns }) => linearGroups(batch * rows * Math.ceil(columns / 4), 64),
  cost: ({ batch, rows, columns }) => ({ bytes: 8 * batch * rows * columns, flops: 0 }),
});
