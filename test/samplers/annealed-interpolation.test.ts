import { expect, test } from "vitest";
import { annealedInterpolation, annealedLangevin } from "../../samplers/index.ts";
import { engine } from "../support/engine.ts";
import { zScore } from "../support/near.ts";
import { gaussianScore } from "./closed-form.ts";
import { moments } from "./moments.ts";

const settings = { sigmas: [0.5, 0.2, 0.1], stepsPerLevel: 3, epsilon: 0.003, seed: 3, denoise: false };
const target = gaussianScore(
  engine,
  [0.3, -0.2],
  [
    [0.09, 0.04],
    [0.04, 0.03],
  ],
  settings.sigmas,
);

async function rows(count: number, interpolations: number): Promise<Float32Array[]> {
  using start = engine.zeros([count, 2]);
  const x = await annealedInterpolation(engine, target.score, [count, 2], {
    ...settings,
    interpolations,
    start,
  });
  expect(x.shape).toEqual([count * interpolations, 2]);
  const points = (await x.data()) as Float32Array;
  x.dispose();
  return Array.from({ length: interpolations }, (_, j) =>
    Float32Array.from(
      { length: 2 * count },
      (_, i) => points[2 * (Math.floor(i / 2) * interpolations + j) + (i % 2)]!,
    ),
  );
}

test("a row begins with the sample of annealedLangevin", async () => {
  const [first] = await rows(40, 4);
  const start = engine.zeros([40, 2]);
  const x = await annealedLangevin(engine, target.score, [40, 2], { ...settings, start });
  const alone = await x.data();
  x.dispose();
  for (const [i, value] of first!.entries()) expect(Math.abs(alone[i]! - value)).toBeLessThan(1e-5);
});

test.each(["uniform", "normal"] as const)("from prior %s too", async (prior) => {
  const [count, interpolations] = [40, 3];
  const options = { ...settings, prior };
  using rows = await annealedInterpolation(engine, target.score, [count, 2], { ...options, interpolations });
  using alone = await annealedLangevin(engine, target.score, [count, 2], options);
  const [points, first] = await engine.readAll([rows, alone]);
  for (const [i, value] of first!.entries())
    expect(Math.abs(points![2 * Math.floor(i / 2) * interpolations + (i % 2)]! - value)).toBeLessThan(1e-5);
});

test("all images of a row have one law, and neighbours the correlation of their angles", async () => {
  const [n, count] = [10_000, 4];
  const columns = await rows(n, count);
  const each = columns.map((points) => moments(points));
  for (const { mean, covariance } of each.slice(1))
    for (const i of [0, 1] as const) {
      // Against the first column's: independent of it or less so, which makes the difference smaller.
      const variance = each[0]!.covariance[i][i];
      expect(Math.abs(zScore(mean[i], each[0]!.mean[i], Math.sqrt(2 * variance), n))).toBeLessThan(4);
      expect(Math.abs(zScore(covariance[i][i] / variance, 1, 2, n))).toBeLessThan(4);
    }
  for (let j = 1; j < count; j++)
    for (const i of [0, 1] as const) {
      const value = (k: number, at: number) => columns[k]![2 * at + i]! - each[k]!.mean[i];
      let product = 0;
      for (let at = 0; at < n; at++) product += value(0, at) * value(j, at);
      const correlation = product / n / Math.sqrt(each[0]!.covariance[i][i] * each[j]!.covariance[i][i]);
      const expected = Math.cos((j * Math.PI) / 2 / (count - 1));
      expect(Math.abs(zScore(correlation, expected, 1 - expected ** 2 || 1, n)), `column ${j}`).toBeLessThan(
        4,
      );
    }
});

test("messages", async () => {
  const refused = annealedInterpolation(engine, target.score, [1, 2], { ...settings, interpolations: 1 });
  await expect(refused).rejects.toThrow(
    "annealedInterpolation: got interpolations 1, expected a whole number from 2",
  );
});
