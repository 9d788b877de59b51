import { defineKernel, linearGroups, linearMain, unroll } from "./kernel.ts";
import { elementType, forEachInRow, type RunVariant, rowGroups, runVariants } from "./runs.ts";

const params = { count: "u32", rows: "u32", width: "u32" } as const;

export const nanAt = `fn nan_at(i: u32) -> f32 { return bitcast<f32>(0x7fc00000u | (i & 0u)); }`;

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
  lib: [nanAt],
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

type EmbeddingGradVariant = {
  /**
   * For CPU drivers a thread takes a column's entries to where they belong; for GPUs a workgroup looks for a row's entries
   * in a chunk of them, and adds those up.
   */
  by: "column" | "row";
  vec: boolean;
};

/** Entries that a workgroup looks through at once. */
const LOOKED = 1024;
const THREADS = 256;

/**
 * Entries of a chunk. Each chunk has a table of sums; all the tables together are no larger than dy, or there is one. By
 * column there is one.
 */
export function embeddingGradChunk(
  { count, rows }: { count: number; rows: number },
  by: EmbeddingGradVariant["by"],
): number {
  if (by === "column") return count;
  const chunks = Math.max(1, Math.floor(count / Math.max(LOOKED, rows)));
  return Math.ceil(count / chunks / LOOKED) * LOOKED;
}

/**
 * dtable [chunks, rows, width]: the sum of dy [count, width] over a chunk's entries with that label, in their order.
 */
export const embeddingGrad = defineKernel({
  name: "embedding_grad",
  bindings: ({ vec }: EmbeddingGradVariant) =>
    ({
      dy: `read ${elementType(vec)}`,
      labels: "read i32",
      dtable: `read_write ${elementType(vec)}`,
    }) as const,
  params: { ...params, chunk: "u32" },
  variants: (["column", "row"] as const).flatMap((by) =>
    [false, true].map((vec): EmbeddingGradVariant => ({ by, vec })),
  ),
  main: ({ by, vec }) => (by === "column" ? byColumn(vec) : byRow(vec)),
  dispatch: ({ count, rows, width, chunk }, { by, vec }) =>
    by === "column"
      ? linearGroups(vec ? width / 4 : width, COLUMNS)
      : linearGroups(rows * Math.ceil(count / chunk), 1),
  cost: ({ count, rows, width }) => ({ bytes: 4 * (count + rows) * width, flops: count * width }),
});

const width = (vec: boolean) => (vec ? "p.width / 4u" : "p.width");

/** What is found is kept as a bit for each entry looked at: all threads go through the same ones, in their order. */
const byRow = (vec: boolean) => `
    var<workgroup> found: array<atomic<u32>, ${LOOKED / 32}>;
    ${linearMain(THREADS)}
      let width = ${width(vec)};
      let chunks = (p.count + p.chunk - 1u) / p.chunk;
      let safe = min(group, p.rows * chunks - 1u);
      let part = safe / p.rows;
      let row = i32(safe - part * p.rows);
      let last = min((part + 1u) * p.chunk, p.count);
      for (var columns = 0u; columns < width; columns += ${THREADS}u) {
        let column = columns + lane;
        var total = ${elementType(vec)}();
        for (var first = part * p.chunk; first < last; first += ${LOOKED}u) {
          workgroupBarrier();
          if (lane < ${LOOKED / 32}u) { atomicStore(&found[lane], 0u); }
          workgroupBarrier();
          ${unroll(
            LOOKED / THREADS,
            (k) => `{
            let i = first + ${k * THREADS}u + lane;
            if (i < last && labels[i] == row) { atomicOr(&found[${(k * THREADS) / 32}u + lane / 32u], 1u << (lane % 32u)); }
          }`,
          )}
          workgroupBarrier();
          if (column < width) {
            for (var word = 0u; word < ${LOOKED / 32}u; word++) {
              var bits = atomicLoad(&found[word]);
              while (bits != 0u) {
                total += dy[(first + 32u * word + countTrailingZeros(bits)) * width + column];
                bits &= bits - 1u;
              }
            }
          }
        }
        if (column < width) { dtable[safe * width + column] = total; }
      }
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
