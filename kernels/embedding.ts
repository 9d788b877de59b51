import { defineKernel, linearGroups, linearMain } from "./kernel.ts";
import { forEachInRow, rowGroups, runLengths } from "./runs.ts";

const params = { count: "u32", rows: "u32", width: "u32" } as const;
/** `vec`: rows are vec4s, and `width` counts those. */
const type = (vec: boolean) => (vec ? "vec4f" : "f32");

export type EmbeddingVariant = { vec: boolean; run: number };

/** y [count, width] = table [rows, width] at labels [count]. Labels outside the table give NaN. */
export const embedding = defineKernel({
  name: "embedding",
  bindings: ({ vec }: EmbeddingVariant) =>
    ({ table: `read ${type(vec)}`, labels: "read i32", y: `read_write ${type(vec)}` }) as const,
  params,
  lib: [`fn nan_at(i: u32) -> f32 { return bitcast<f32>(0x7fc00000u | (i & 0u)); }`],
  variants: runLengths.flatMap((run) => [false, true].map((vec): EmbeddingVariant => ({ vec, run }))),
  main: ({ vec, run }) =>
    forEachInRow(run, {
      rows: "p.count",
      columns: "p.width",
      once: `
      let label = u32(labels[row]);
      let known = label < p.rows;
      let base = min(label, p.rows - 1u) * p.width;`,
      body: `y[row * p.width + column] = select(${type(vec)}(nan_at(row)), table[base + column], known);`,
    }),
  dispatch: ({ count, width }, { run }) => rowGroups(count, width, run),
  cost: ({ count, width }, { vec }) => ({ bytes: (vec ? 32 : 8) * count * width, flops: 0 }),
});

export type EmbeddingGradVariant = {
  vec: boolean;
  /** A thread searches the labels for one element's, or adds a column's entries up where they belong: for CPU drivers. */
  by: "place" | "column";
};

/** dtable [rows, width]: the sum of dy [count, width] over the entries with that label, in their order. */
export const embeddingGrad = defineKernel({
  name: "embedding_grad",
  bindings: ({ vec }: EmbeddingGradVariant) =>
    ({ dy: `read ${type(vec)}`, labels: "read i32", dtable: `read_write ${type(vec)}` }) as const,
  params,
  variants: (["place", "column"] as const).flatMap((by) =>
    [false, true].map((vec): EmbeddingGradVariant => ({ vec, by })),
  ),
  main: ({ vec, by }) => (by === "place" ? search(type(vec)) : add(type(vec))),
  dispatch: ({ rows, width }, { by }) =>
    by === "place" ? linearGroups(rows * width, 64) : linearGroups(width, COLUMNS),
  cost: ({ count, rows, width }, { vec }) => ({
    bytes: (vec ? 16 : 4) * (count + rows) * width,
    flops: (vec ? 4 : 1) * count * width,
  }),
});

const search = (type: string) => `
    ${linearMain(64)}
      if (thread >= p.rows * p.width) { return; }
      let row = i32(thread / p.width);
      let column = thread % p.width;
      var total = ${type}();
      for (var i = 0u; i < p.count; i++) {
        if (labels[i] == row) { total += dy[i * p.width + column]; }
      }
      dtable[thread] = total;
    }`;

/** Few columns make few threads: small workgroups spread them over the cores. */
const COLUMNS = 8;
const add = (type: string) => `
    ${linearMain(COLUMNS)}
      if (thread >= p.width) { return; }
      for (var row = 0u; row < p.rows; row++) { dtable[row * p.width + thread] = ${type}(); }
      for (var i = 0u; i < p.count; i++) {
        let row = u32(labels[i]);
        if (row < p.rows) { dtable[row * p.width + thread] += dy[i * p.width + thread]; }
      }
    }`;
