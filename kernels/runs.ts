import { type Groups, type Hardware, linearGroups, linearMain, threadsFor } from "./kernel.ts";

/*
 * Kernels over rows of neighbours, a run of them for each thread. Divisions and what a row shares fall once a run.
 */

export type RunVariant = {
  /** Neighbours a thread computes: a CPU driver wants many, for a thread's place takes it long, a GPU threads side by side. */
  run: number;
  /** Neighbours are vec4s: the length of a row is a multiple of 4. */
  vec: boolean;
};

const LONG = 64;
export const runLength = (hw: Hardware): number => (hw.kind === "cpu" ? LONG : 1);
/** Lengths of runs of single elements, for a kernel's list of variants. */
export const runLengths: readonly number[] = [1, LONG];

/** The variant for rows of so many elements. */
export function runVariant(hw: Hardware, columns: number): RunVariant {
  const vec = columns % 4 === 0;
  return { run: runLength(hw), vec };
}
export const runVariants: readonly RunVariant[] = [
  { run: 1, vec: false },
  { run: 1, vec: true },
  { run: LONG, vec: false },
  { run: LONG, vec: true },
];

/** What is worth measuring for rows of so many elements. */
export const runWays = (hw: Hardware, columns: number): RunVariant[] =>
  runVariants.filter(({ vec }) => vec === (columns % 4 === 0) || (!vec && hw.kind === "gpu"));

/** What a place in a row holds. */
export const elementType = (vec: boolean) => (vec ? "vec4f" : "f32");

/** Threads of a workgroup: few where each has much to do, so that small tensors too keep a CPU's cores busy. */
const threads = (run: number): number => (run === 1 ? threadsFor(run) : 8);

type Run = { run: number; vec?: boolean };

/**
 * WGSL that runs `body` for every place of a table: `row`, `column` and their place `at` among all are known, in
 * vec4s where `vec`. `once` comes before a run, with its first `column`. `rows` and `columns`, in elements, are
 * expressions.
 */
export const forEachInRow = (
  { run, vec = false }: Run,
  { rows, columns, once = "", body }: { rows: string; columns: string; once?: string; body: string },
): string => `
  ${linearMain(threads(run))}
    let length = ${columns}${vec ? " / 4u" : ""};
    let runs = (length + ${run - 1}u) / ${run}u;
    let row = thread / runs;
    if (row >= ${rows}) { return; }
    let size = ${run === 1 ? "1u" : "(length + runs - 1u) / runs"};
    var column = (thread - row * runs) * size;
    let end = min(column + size, length);
    ${once}
    for (; column < end; column++) {
      let at = row * length + column;
      ${body}
    }
  }`;

export const rowGroups = (rows: number, columns: number, { run, vec = false }: Run): Groups =>
  linearGroups(rows * Math.ceil(columns / (vec ? 4 : 1) / run), threads(run));
