import { type Binding, components, defineKernel, linearGroups, linearMain, range, unroll } from "./kernel.ts";
import { elementType, forEachInRow, type RunVariant, rowGroups, runVariants } from "./runs.ts";

/*
 * A small image's places as blocks of a large one: what whole enlargements by the nearest pixel and means of blocks side by
 * side have in common. Of a line, only its number is reckoned. On a GPU neighbouring threads have neighbouring vec4s of what
 * is written; on a CPU driver a thread has a run of the small image, in vec4s where its lines are made of them.
 */

/** GPUs take vec4s alone. */
export type BlocksVariant = RunVariant & {
  /** Add up each block, or fill it. */
  sum: boolean;
  fy: number;
  fx: number;
  /** What is written is added to another array of y's shape. */
  residual: boolean;
};

const THREADS = 256;

/** WGSL that writes a place of y. */
const write = ({ residual }: BlocksVariant, at: string, value: string): string =>
  `y[${at}] = ${residual ? `residual[${at}] + ` : ""}${value};`;

/** Lanes of a vec4 in which the `part`-th vec4 of a line of blocks finds its values. */
const lanesOf = (part: number, fx: number): string =>
  range(4)
    .map((lane) => components[Math.floor((4 * part + lane) / fx)])
    .join("");

const fill = (v: BlocksVariant): string => {
  const { fy, fx } = v;
  return `
    ${linearMain(THREADS)}
      let across = p.columns * ${fx}u / 4u;
      let row = thread / across;
      if (row >= p.rows) { return; }
      let column = thread - row * across;
      let given = x[row * (p.columns / 4u) + column / ${fx}u] * p.scale;
      let part = column % ${fx}u;
      var value = given.${lanesOf(0, fx)};
      ${unroll(fx - 1, (k) => `value = select(value, given.${lanesOf(k + 1, fx)}, part == ${k + 1}u);`)}
      let at = row * ${fy}u * across + column;
      ${unroll(fy, (a) => write(v, `at + ${a}u * across`, "value"))}
    }`;
};

/** The numbers of a block, or of four beside each other: xA_K is the K-th of the A-th line. */
const inputs = ({ fy, fx }: BlocksVariant): string =>
  unroll(fy, (a) => unroll(fx, (k) => `let x${a}_${k} = x[block + ${a}u * line + ${k}u];`));

/** Of the c-th block. */
const sumOf = ({ fy, fx, vec }: BlocksVariant, c: number): string =>
  range(fy)
    .flatMap((a) => range(fx).map((b) => [a, c * fx + b] as const))
    .map(([a, k]) => (vec ? `x${a}_${Math.floor(k / 4)}.${components[k % 4]}` : `x${a}_${k}`))
    .join(" + ");

/** What is written for a place of the small image. */
const sumsOf = (v: BlocksVariant): string =>
  v.vec ? `vec4f(${unroll(4, (c) => sumOf(v, c), ", ")})` : `(${sumOf(v, 0)})`;

const sum = (v: BlocksVariant): string => `
    ${linearMain(THREADS)}
      let across = p.columns / 4u;
      let row = thread / across;
      if (row >= p.rows) { return; }
      let column = thread - row * across;
      let line = across * ${v.fx}u;
      let block = row * ${v.fy}u * line + column * ${v.fx}u;
      ${inputs(v)}
      ${write(v, "thread", `${sumsOf(v)} * p.scale`)}
    }`;

/** A small image's run, place by place: `at` of its own, `line` of the first of the large one's lines. */
const inRuns = ({ run, vec, fy, fx }: BlocksVariant, body: string): string =>
  forEachInRow(
    { run, vec },
    {
      rows: "p.rows",
      columns: "p.columns",
      once: `
      let line = length * ${fx}u;
      let first = row * ${fy}u * line;`,
      body: `
      let block = first + column * ${fx}u;
      ${body}`,
    },
  );

const fillInRuns = (v: BlocksVariant): string =>
  inRuns(
    v,
    `let given = x[at] * p.scale;
      ${unroll(v.fy, (a) =>
        unroll(v.fx, (k) =>
          write(v, `block + ${a}u * line + ${k}u`, v.vec ? `given.${lanesOf(k, v.fx)}` : "given"),
        ),
      )}`,
  );

const sumInRuns = (v: BlocksVariant): string =>
  inRuns(v, `${inputs(v)}\n      ${write(v, "at", `${sumsOf(v)} * p.scale`)}`);

/**
 * y [rows, fy, columns, fx] = scale x [rows, columns], or, with `sum`, y [rows, columns] = scale times the sums of
 * x [rows, fy, columns, fx]: the adjoint. With a residual of y's shape: residual + that.
 */
export const blocks = defineKernel({
  name: "blocks",
  bindings: ({ vec, residual }: BlocksVariant) =>
    ({
      x: `read ${elementType(vec)}`,
      ...(residual && { residual: `read ${elementType(vec)}` }),
      y: `read_write ${elementType(vec)}`,
    }) as Record<"x" | "residual" | "y", Binding>,
  params: { rows: "u32", columns: "u32", scale: "f32" },
  variants: runVariants
    .filter(({ run, vec }) => vec || run > 1)
    .flatMap((lines) =>
      [false, true].flatMap((sum): BlocksVariant[] => [
        { ...lines, sum, fy: 2, fx: 2, residual: false },
        { ...lines, sum, fy: 2, fx: 2, residual: true },
        { ...lines, sum, fy: 1, fx: 3, residual: false },
      ]),
    ),
  main: (v) => {
    if (v.run > 1) return v.sum ? sumInRuns(v) : fillInRuns(v);
    return v.sum ? sum(v) : fill(v);
  },
  dispatch: ({ rows, columns }, v) =>
    v.run > 1
      ? rowGroups(rows, columns, v)
      : linearGroups((rows * columns * (v.sum ? 1 : v.fx)) / 4, THREADS),
  cost: ({ rows, columns }, { sum, fy, fx, residual }) => {
    const written = sum ? 1 : fy * fx;
    return {
      bytes: 4 * rows * columns * (1 + fy * fx + (residual ? written : 0)),
      flops: rows * columns * ((sum ? fy * fx : 1) + (residual ? written : 0)),
    };
  },
});
