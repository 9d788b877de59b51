import { expect, test } from "vitest";
import * as oracle from "../../engine/oracle/embedding.ts";
import { embedding, embeddingGrad, embeddingGradChunk } from "../../kernels/embedding.ts";
import { normal } from "../support/draw.ts";
import { eachVariant, launched } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

/** Labels twice, never and outside of the table; widths, in vec4s for some variants, within a run and past it. */
const problems = [
  { rows: 1, labels: [0], width: 1 },
  { rows: 5, labels: [3, 0, 3, 4, 3, 1], width: 3 },
  { rows: 3, labels: [2, -1, 0, 3, 2, 7], width: 69 },
];

const array = (labels: readonly number[]) => ({ shape: [labels.length], data: Float64Array.from(labels) });

test.each(eachVariant(embedding))("%s", async (_, v) => {
  for (const { rows, labels, width } of problems) {
    const elements = v.vec ? 4 * width : width;
    const table = normal([rows, elements], 1);
    const known = labels.map((label) => label >= 0 && label < rows);
    const expected = oracle.embedding(table, array(labels.map((label, i) => (known[i] ? label : 0))));
    expected.data.forEach((_, i) => {
      if (!known[Math.floor(i / elements)]) expected.data[i] = Number.NaN;
    });
    const { y } = await launched(
      embedding,
      v,
      { table, labels: Int32Array.from(labels) },
      { y: expected.shape },
      { count: labels.length, rows, width: elements },
    );
    expectNear(y!, expected, { magnitude: 0 }, `${labels} of ${rows}`);
  }
});

/** The same, and more entries than are looked through at once, in one chunk or several; columns for several turns of the threads. */
const sums = [
  ...problems,
  { rows: 3, labels: Array.from({ length: 2900 }, (_, i) => (i * i) % 5), width: 2 },
  { rows: 2, labels: [1, 0, 1], width: 301 },
];

test.each(eachVariant(embeddingGrad))("%s", async (_, v) => {
  for (const { rows, labels, width } of sums)
    for (const chunk of v.by === "row" ? [1024, 3072] : [labels.length]) {
      const chunks = Math.ceil(labels.length / chunk);
      const elements = v.vec ? 4 * width : width;
      const dy = normal([labels.length, elements], 1);
      const expected = new Float64Array(chunks * rows * elements);
      labels.forEach((label, i) => {
        const row = Math.floor(i / chunk) * rows + label;
        if (label >= 0 && label < rows)
          for (let k = 0; k < elements; k++) expected[row * elements + k]! += dy.data[i * elements + k]!;
      });
      const { dtable } = await launched(
        embeddingGrad,
        v,
        { dy, labels: Int32Array.from(labels) },
        { dtable: [chunks * rows, elements] },
        { count: labels.length, rows, width: elements, chunk },
      );
      expectNear(
        dtable!,
        { shape: [chunks * rows, elements], data: expected },
        { terms: labels.length },
        `${labels.length} of ${rows}`,
      );
    }
});

test.each([
  [1, 5],
  [1023, 1],
  [2900, 232],
  [5000, 3],
  [32_768, 232],
  [32_768, 5000],
  [100, 1_000_000],
])(
  "the tables of %d entries for %d rows are no larger than what is added up, or there is one",
  (count, rows) => {
    const chunk = embeddingGradChunk({ count, rows }, "row");
    const chunks = Math.ceil(count / chunk);
    expect(chunk % 1024).toBe(0);
    expect(chunks === 1 || chunks * rows <= count).toBe(true);
  },
);
