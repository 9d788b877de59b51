import { defineKernel, linearGroups, linearMain, unroll } from "./kernel.ts";

/** Sides of a square that a workgroup turns around in its memory, and the rows of it that its threads move at once. */
const SIDE = 32;
const ROWS = 8;
/** Lines stand apart by one more, so that a column's numbers lie in different banks. */
const PITCH = SIDE + 1;

/**
 * y[yStart + b yBatch + i yPitch + j] = x[xStart + b xBatch + j xPitch + i] for i below m and j below n: neighbours along i
 * in x, along j in y. Squares pass through workgroup memory, so that GPUs load and store neighbours side by side. Element
 * bits are copied as they are.
 */
export const transposedCopy = defineKernel({
  name: "transposed_copy",
  bindings: { x: "read u32", y: "read_write u32" },
  params: {
    batch: "u32",
    m: "u32",
    n: "u32",
    xStart: "u32",
    xBatch: "u32",
    xPitch: "u32",
    yStart: "u32",
    yBatch: "u32",
    yPitch: "u32",
  },
  variants: [{}],
  main: () => `
    var<workgroup> square: array<u32, ${SIDE * PITCH}>;
    ${linearMain(SIDE * ROWS)}
      let across = (p.n + ${SIDE - 1}u) / ${SIDE}u;
      let down = (p.m + ${SIDE - 1}u) / ${SIDE}u;
      let b = group / (across * down);
      let place = group - b * across * down;
      let i0 = place / across * ${SIDE}u;
      let j0 = place % across * ${SIDE}u;
      let near = lane % ${SIDE}u;
      let far = lane / ${SIDE}u;
      let first = p.xStart + b * p.xBatch + j0 * p.xPitch + i0;
      let begin = p.yStart + b * p.yBatch + i0 * p.yPitch + j0;
      let rows = select(0u, p.m - i0, b < p.batch);
      let columns = select(0u, p.n - j0, b < p.batch);
      ${unroll(
        SIDE / ROWS,
        (k) => `{
        let j = far + ${k * ROWS}u;
        if (near < rows && j < columns) { square[j * ${PITCH}u + near] = x[first + j * p.xPitch + near]; }
      }`,
      )}
      workgroupBarrier();
      ${unroll(
        SIDE / ROWS,
        (k) => `{
        let i = far + ${k * ROWS}u;
        if (i < rows && near < columns) { y[begin + i * p.yPitch + near] = square[near * ${PITCH}u + i]; }
      }`,
      )}
    }`,
  dispatch: ({ batch, m, n }) => linearGroups(batch * Math.ceil(m / SIDE) * Math.ceil(n / SIDE), 1),
  cost: ({ batch, m, n }) => ({ bytes: 8 * batch * m * n, flops: 0 }),
});
