import { test } from "vitest";
import * as oracle from "../../engine/oracle/embedding.ts";
import { embedding, embeddingGrad } from "../../kernels/embedding.ts";
import { normal } from "../support/draw.ts";
import { eachVariant, launched } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

/** Labels twice, never and outside of the table; widths, in vec4s for some variants, within a run and past it. */
const problems = [
  { rows: 1, labels: [0], width: 1 },
  { rows: 5, labels: [3, 0, 3, 4, 3, 1], width: 3 },
  { rows: 3, labels: [2, -1, 0, 3, 2, 7], width: 37 },
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

test.each(eachVariant(embeddingGrad))("%s", async (_, v) => {
  for (const { rows, labels, width } of problems) {
    const elements = v.vec ? 4 * width : width;
    const dy = normal([labels.length, elements], 1);
    const expected = new Float64Array(rows * elements);
    labels.forEach((label, i) => {
      if (label >= 0 && label < rows)
        for (let k = 0; k < elements; k++) expected[label * elements + k]! += dy.data[i * elements + k]!;
    });
    const { dtable } = await launched(
      embeddingGrad,
      v,
      { dy, labels: Int32Array.from(labels) },
      { dtable: [rows, elements] },
      { count: labels.length, rows, width: elements },
    );
    expectNear(dtable!, { shape: [rows, elements], data: expected }, { terms: 3 }, `${labels} of ${rows}`);
  }
});
