import { type Groups, type Hardware, linearGroups, linearMain } from "./kernel.ts";

/** Neighbours a thread computes one after the other: a CPU driver wants whole cache lines, a GPU threads side by side. */
export const runLength = (hw: Hardware): number => (hw.kind === "cpu" ? 16 : 1);
/** Lengths for a kernel's list of variants, the plainest first. */
export const runLengths = [1, 16] as const;

/**
 * WGSL that runs `body` for the places of a table of rows, a run of neighbours in one row for each thread: `row` and
 * `column` are known. `once` comes before the run, with its first `column`: what a row shares, and divisions, are
 * done there. `rows` and `columns` are expressions.
 */
export const forEachInRow = (
  run: number,
  { rows, columns, once = "", body }: { rows: string; columns: string; once?: string; body: string },
): string => `
  ${linearMain(64)}
    let length = ${columns};
    let runs = (length + ${run - 1}u) / ${run}u;
    let row = thread / runs;
    if (row >= ${rows}) { return; }
    var column = (thread - row * runs) * ${run}u;
    let end = min(column + ${run}u, length);
    ${once}
    for (; column < end; column++) {
      ${body}
    }
  }`;

export const rowGroups = (rows: number, columns: number, run: number): Groups =>
  linearGroups(rows * Math.ceil(columns / run), 64);
