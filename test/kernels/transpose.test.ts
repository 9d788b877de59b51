import { test } from "vitest";
import { transposedCopy } from "../../kernels/transpose.ts";
import { normal } from "../support/draw.ts";
import { launched } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

/** Squares whole and in part, in arrays that are larger than what is copied, which is left alone. */
test.each([
  [1, 1, 1],
  [1, 32, 32],
  [2, 33, 31],
  [3, 70, 5],
  [2, 2, 97],
  [5, 64, 40],
])("%d of %d x %d", async (batch, m, n) => {
  const [xStart, yStart] = [3, 2];
  const [xPitch, yPitch] = [m + 2, n + 1];
  const [xBatch, yBatch] = [n * xPitch + 1, m * yPitch + 2];
  const x = normal([xStart + batch * xBatch], 1);
  const size = yStart + batch * yBatch;
  const expected = new Float64Array(size).fill(Number.NaN);
  for (let b = 0; b < batch; b++)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++)
        expected[yStart + b * yBatch + i * yPitch + j] = x.data[xStart + b * xBatch + j * xPitch + i]!;
  const numbers = { batch, m, n, xStart, xBatch, xPitch, yStart, yBatch, yPitch };
  const { y } = await launched(transposedCopy, {}, { x }, { y: [size] }, numbers);
  expectNear(y!, { shape: [size], data: expected }, { magnitude: 0 });
});
