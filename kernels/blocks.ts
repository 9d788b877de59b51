import { defineKernel, linearGroups, linearMain, range, unroll } from "./kernel.ts";

/*
 * A small image's places as blocks of a large one: what whole enlargements by the nearest pixel and means of blocks side by
 * side have in common. Neighbouring threads have neighbouring vec4s of what is written; of a line, only its number is
 * reckoned.
 */

export type BlocksVariant = {
  /** Add up each block, or fill it. */
  sum: boolean;
  fy: number;
  fx: number;
};

const THREADS = 256;

/** Lanes of a vec4 in which the `part`-th vec4 of a line of blocks finds its values. */
const lanesOf = (part: number, fx: number): string =>
  range(4)
    .map((lane) => "xyzw"[Math.floor((4 * part + lane) / fx)])
    .join("");

const fill = ({ fy, fx }: BlocksVariant): string => `
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
      ${unroll(fy, (a) => `y[at + ${a}u * across] = value;`)}
    }`;

const sum = ({ fy, fx }: BlocksVariant): string => {
  const terms = (c: number) =>
    range(fy).flatMap((a) =>
      range(fx).map((b) => `x${a}_${Math.floor((c * fx + b) / 4)}.${"xyzw"[(c * fx + b) % 4]}`),
    );
  return `
    ${linearMain(THREADS)}
      let across = p.columns / 4u;
      let row = thread / across;
      if (row >= p.rows) { return; }
      let column = thread - row * across;
      let line = across * ${fx}u;
      let at = row * ${fy}u * line + column * ${fx}u;
      ${unroll(fy, (a) => unroll(fx, (k) => `let x${a}_${k} = x[at + ${a}u * line + ${k}u];`))}
      y[thread] = vec4f(${unroll(4, (c) => terms(c).join(" + "), ", ")}) * p.scale;
    }`;
};

/**
 * y [rows, fy, columns, fx] = scale x [rows, columns], or, with `sum`, y [rows, columns] = scale times the sums of
 * x [rows, fy, columns, fx]: the adjoint. columns: a multiple of 4.
 */
export const blocks = defineKernel({
  name: "blocks",
  bindings: { x: "read vec4f", y: "read_write vec4f" },
  params: { rows: "u32", columns: "u32", scale: "f32" },
  variants: [false, true].flatMap((sum): BlocksVariant[] => [
    { sum, fy: 2, fx: 2 },
    { sum, fy: 1, fx: 3 },
  ]),
  main: (v: BlocksVariant) => (v.sum ? sum(v) : fill(v)),
  dispatch: ({ rows, columns }, v) => linearGroups((rows * columns * (v.sum ? 1 : v.fx)) / 4, THREADS),
  cost: ({ rows, columns }, { sum, fy, fx }) => ({
    bytes: 4 * rows * columns * (1 + fy * fx),
    flops: rows * columns * (sum ? fy * fx : 1),
  }),
});
