import { test } from "vitest";
import { transposedCopy } from "../../kernels/transpose.ts";
import { normal } from "../support/draw.ts";
import { launched } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

type Numbers = Record<keyof typeof transposedCopy.params, number>;

/** Arrays are larger than what is copied, which is left alone. */
async function turnsAround(by: "square" | "fours", numbers: Numbers): Promise<void> {
  const { batch, m, n, xStart, xBatch, xPitch, yStart, yBatch, yPitch } = numbers;
  const at = (b: number, i: number, j: number) => xStart + b * xBatch + j * xPitch + i;
  const corners = [0, batch - 1].flatMap((b) => [at(b, m, 0), at(b, m, n - 1)]);
  const x = normal([Math.max(...corners)], 1);
  const size = yStart + batch * yBatch;
  const expected = new Float64Array(size).fill(Number.NaN);
  for (let b = 0; b < batch; b++)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) expected[yStart + b * yBatch + i * yPitch + j] = x.data[at(b, i, j)]!;
  const params = { ...numbers, xBatch: xBatch >>> 0, xPitch: xPitch >>> 0 };
  const { y } = await launched(transposedCopy, { by }, { x }, { y: [size] }, params);
  expectNear(y!, { shape: [size], data: expected }, { magnitude: 0 });
}

/** Squares whole and in part. */
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
  await turnsAround("square", { batch, m, n, xStart, xBatch, xPitch, yStart, yBatch, yPitch });
});

test.each([
  [1, 4, 4],
  [2, 36, 20],
  [3, 132, 8],
])("fours: %d of %d x %d", async (batch, m, n) => {
  const [xStart, yStart] = [12, 8];
  const [xPitch, yPitch] = [m + 4, n + 8];
  const [xBatch, yBatch] = [n * xPitch + 8, m * yPitch + 4];
  await turnsAround("fours", { batch, m, n, xStart, xBatch, xPitch, yStart, yBatch, yPitch });
});

test("fours of lines in reverse order", async () => {
  const [batch, m, n] = [3, 8, 12];
  const numbers = { batch, m, n, xStart: batch * n * m - m, xBatch: -n * m, xPitch: -m };
  await turnsAround("fours", { ...numbers, yStart: 0, yBatch: m * n, yPitch: n });
});
