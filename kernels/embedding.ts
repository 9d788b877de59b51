import { defineKernel, linearGroups, linearMain } from "./kernel.ts";
import { elementType, forEachInRow, type RunVariant, rowGroups, runVariants } from "./runs.ts";

const params = { count: "u32", rows: "u32", width: "u32" } as const;

/** y [count, width] = table [rows, width] at labels [count]. Labels outside the table give NaN. */
export const embedding = defineKernel({
  name: "embedding",
  bindings: ({ vec }: RunVariant) =>
    ({
      table: `read ${elementType(vec)}`,
      labels: "read i32",
      y: `read_write ${elementType(vec)}`,
    }) as const,
  params,
  lib: [`fn nan_at(i: u32) -> f32 { return bitcast<f32>(0x7fc00000u | (i & 0u)); }`],
  variants: runVariants,
  main: (v) =>
    forEachInRow(v, {
      rows: "p.count",
      columns: "p.width",
      once: `
      let label = u32(labels[row]);
      let known = label < p.rows;
      let base = min(label, p.rows - 1u) * length;
      let nan = ${elementType(v.vec)}(nan_at(row));`,
      body: "y[at] = select(nan, table[base + column], known);",
    }),
  dispatch: ({ count, width }, v) => rowGroups(count, width, v),
  cost: ({ count, width }) => ({ bytes: 8 * count * width, flops: 0 }),
});

export type EmbeddingGradVariant = {
  /** A thread searches the labels for one place, or takes a column's entries to where they belong: for CPU drivers. */
  by: "place" | "column";
  vec: boolean;
};

/** dtable [rows, width]: the sum of dy [count, width] over the entries with that label, in their order. */
export const embeddingGrad = defineKernel({
  name: "embedding_grad",
  bindings: ({ vec }: EmbeddingGradVariant) =>
    ({
      dy: `read ${elementType(vec)}`,
      labels: "read i32",
      dtable: `read_write ${elementType(vec)}`,
    }) as const,
  params,
  variants: (["place", "column"] as const).flatMap((by) =>
    [false, true].map((vec): EmbeddingGradVariant => ({ by, vec })),
  ),
  main: ({ by, vec }) => (by === "place" ? byPlace(vec) : byColumn(vec)),
  dispatch: ({ rows, width }, { by, vec }) => {
    const columns = vec ? width / 4 : width;
    return by === "place" ? linearGroups(rows * columns, 64) : linearGroups(columns, COLUMNS);
  },
  cost: ({ count, rows, width }) => ({ bytes: 4 * (count + rows) * width, flops: count * width }),
});

const width = (vec: boolean) => (vec ? "p.width / 4u" : "p.width");

const byPlace = (vec: boolean) => `
    ${linearMain(64)}
      let width = ${width(vec)};
      if (thread >= p.rows * width) { return; }
      let row = i32(thread / width);
      let column = thread % width;
      var total = ${elementType(vec)}();
      for (var i = 0u; i < p.count; i++) {
        if (labels[i] == row) { total += dy[i * width + column]; }
      }
      dtable[thread] = total;
    }`;

/** Few columns make few threads: small workgroups spread them over the cores. */
const COLUMNS = 8;
const byColumn = (vec: boolean) => `
    ${linearMain(COLUMNS)}
      let width = ${width(vec)};
      if (thread >= width) { return; }
      for (var row = 0u; row < p.rows; row++) { dtable[row * width + thread] = ${elementType(vec)}(); }
      for (var i = 0u; i < p.count; i++) {
        let row = u32(labels[i]);
        if (row < p.rows) { dtable[row * width + thread] += dy[i * width + thread]; }
      }
    }`;
