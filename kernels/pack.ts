import { components, defineKernel, linearGroups, linearMain, unroll } from "./kernel.ts";
import { elementType } from "./runs.ts";

const single = `
      ${unroll(4, (q) => `let v${q} = select(0.0, x[at + ${q}u * p.columnStride], c + ${q}u < p.columns);`)}
      y[thread] = vec4f(v0, v1, v2, v3);`;

const blocks = `
      ${unroll(4, (q) => `let v${q} = select(vec4f(), x[(at + ${q}u * p.columnStride) / 4u], c + ${q}u < p.columns);`)}
      let out = line * vecs + c / 4u;
      ${unroll(4, (r) => `y[out + ${r}u * vecs] = vec4f(${unroll(4, (q) => `v${q}.${components[r]}`, ", ")});`)}`;

type PackVariant = {
  /**
   * Neighbours of x lie along the rows, in whole fours: blocks of 4 x 4 are turned in registers. Strides but that of
   * rows, which is 1, are multiples of 4.
   */
  turned: boolean;
};

/**
 * y [batch, rows, columns rounded up to 4] from any strided matrices, zeros in the added columns: the layout
 * in which the register-tiled kernels read four neighbours at once. Strides in elements.
 */
export const pack = defineKernel({
  name: "pack",
  bindings: ({ turned }: PackVariant) =>
    ({ x: `read ${elementType(turned)}`, y: "read_write vec4f" }) as const,
  params: {
    batch: "u32",
    rows: "u32",
    columns: "u32",
    batchStride: "u32",
    rowStride: "u32",
    columnStride: "u32",
  },
  variants: [{ turned: false }, { turned: true }],
  main: ({ turned }) => `
    ${linearMain(64)}
      let vecs = (p.columns + 3u) / 4u;
      let c = (thread % vecs) * 4u;
      let line = (thread / vecs)${turned ? " * 4u" : ""};
      if (line >= p.batch * p.rows) { return; }
      let at = (line / p.rows) * p.batchStride + (line % p.rows) * p.rowStride + c * p.columnStride;
      ${turned ? blocks : single}
    }`,
  dispatch: ({ batch, rows, columns }, { turned }) =>
    linearGroups(batch * (turned ? rows / 4 : rows) * Math.ceil(columns / 4), 64),
  cost: ({ batch, rows, columns }) => ({ bytes: 8 * batch * rows * columns, flops: 0 }),
});
