import { components, defineKernel, linearGroups, linearMain, range, unroll } from "./kernel.ts";

type TransposeVariant = {
  /**
   * What is turned around at once: by a workgroup in its memory, or by a thread four by four in its registers, for CPU
   * drivers, where all parameters but `batch` are multiples of 4.
   */
  by: "square" | "fours";
};

/** Sides of a square that a workgroup turns around in its memory, and the rows of it that its threads move at once. */
const SIDE = 32;
const ROWS = 8;
/** Fours of a line that a thread turns around. */
const RUN = 16;
/** Threads of a workgroup that does. */
const THREADS = 8;
/** Lines stand apart by one more, so that a column's numbers lie in different banks. */
const PITCH = SIDE + 1;

/**
 * y[yStart + b yBatch + i yPitch + j] = x[xStart + b xBatch + j xPitch + i] for i below m and j below n: neighbours along i
 * in x, along j in y. GPUs so load and store neighbours side by side, CPU drivers whole vec4s. Element bits are copied as
 * they are.
 */
export const transposedCopy = defineKernel({
  name: "transposed_copy",
  bindings: ({ by }: TransposeVariant) =>
    by === "fours"
      ? ({ x: "read vec4u", y: "read_write vec4u" } as const)
      : ({ x: "read u32", y: "read_write u32" } as const),
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
  variants: [{ by: "square" }, { by: "fours" }] as TransposeVariant[],
  main: ({ by }) => (by === "square" ? inMemory : inRegisters),
  dispatch: ({ batch, m, n }, { by }) =>
    by === "square"
      ? linearGroups(batch * Math.ceil(m / SIDE) * Math.ceil(n / SIDE), 1)
      : linearGroups(batch * (n / 4) * Math.ceil(m / (4 * RUN)), THREADS),
  cost: ({ batch, m, n }) => ({ bytes: 8 * batch * m * n, flops: 0 }),
});

const inMemory = `
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
    }`;

/** Neighbouring threads have neighbouring fours of y's lines. */
const inRegisters = `
    ${linearMain(THREADS)}
      let across = p.n / 4u;
      let down = (p.m / 4u + ${RUN - 1}u) / ${RUN}u;
      let strip = thread / across;
      let b = strip / down;
      if (b >= p.batch) { return; }
      let j = thread - strip * across;
      let begin = (strip - b * down) * ${RUN}u;
      let step = p.yPitch / 4u;
      let line = p.xStart + b * p.xBatch + 4u * j * p.xPitch;
      ${unroll(4, (k) => `let line${k} = (line + ${k}u * p.xPitch) / 4u;`)}
      var at = p.yStart / 4u + b * (p.yBatch / 4u) + begin * p.yPitch + j;
      for (var i = begin; i < min(begin + ${RUN}u, p.m / 4u); i++) {
        ${unroll(4, (k) => `let v${k} = x[line${k} + i];`)}
        ${unroll(4, (k) => `y[at + ${k}u * step] = vec4u(${range(4).map((q) => `v${q}.${components[k]}`)});`)}
        at += p.yPitch;
      }
    }`;
