import { type Array64, zeros } from "./array.ts";

/** Offset of the table row of a label. Throws RangeError outside 0 .. rows-1. */
function rowStart(label: number, rows: number, width: number): number {
  if (!Number.isInteger(label) || label < 0 || label >= rows) {
    throw new RangeError(`embedding: label ${label} of a table with ${rows} rows`);
  }
  return label * width;
}

/** table [K,D], labels [...] of integers in 0 .. K-1 -> [..., D]. */
export function embedding(table: Array64, labels: Array64): Array64 {
  const [rows, width] = table.shape as [number, number];
  const y = zeros([...labels.shape, width]);
  labels.data.forEach((label, n) => {
    const row = rowStart(label, rows, width);
    for (let d = 0; d < width; d++) y.data[n * width + d] = table.data[row + d]!;
  });
  return y;
}

/** Adjoint of embedding in the table: dy [..., D], labels [...] -> [rows, D]; repeated labels add up. */
export function embeddingGrad(dy: Array64, labels: Array64, rows: number): Array64 {
  const width = dy.shape[dy.shape.length - 1]!;
  const dtable = zeros([rows, width]);
  labels.data.forEach((label, n) => {
    const row = rowStart(label, rows, width);
    for (let d = 0; d < width; d++) dtable.data[row + d]! += dy.data[n * width + d]!;
  });
  return dtable;
}
