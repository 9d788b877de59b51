import { expect, test } from "vitest";
import { div, reshape } from "../../engine/ops/index.ts";
import { asScore, langevin } from "../../samplers/index.ts";
import { engine } from "../support/engine.ts";
import { gaussianScore, inverse, type Matrix, times } from "./closed-form.ts";
import { expectGaussian, gaussianScores } from "./moments.ts";

const mean = [0.3, -0.2] as const;
const covariance: Matrix = [
  [0.09, 0.04],
  [0.04, 0.03],
];

test("its law has the bias it is known for: covariance C (I - epsilon/2 C^-1)^-1", async () => {
  const epsilon = 0.008; // the smaller variance, 0.01, comes out as 0.0167
  const p = inverse(covariance);
  const biased = times(
    covariance,
    inverse([
      [1 - (epsilon / 2) * p[0][0], (-epsilon / 2) * p[0][1]],
      [(-epsilon / 2) * p[1][0], 1 - (epsilon / 2) * p[1][1]],
    ]),
  );
  using target = gaussianScore(engine, mean, covariance, [0]);
  const x = await langevin(engine, target.score, [10_000, 2], { epsilon, steps: 100, seed: 3 });
  const points = await x.data();
  x.dispose();
  expectGaussian(points, { mean, covariance: biased });
  const unbiased = gaussianScores(points, { mean, covariance });
  expect(Math.max(...unbiased.map(Math.abs))).toBeGreaterThan(10);
});

test("the condition is what the score is told: labels 0, or a tensor of the caller's", async () => {
  const told: [string, readonly number[]][] = [];
  const score = asScore((x, condition) => {
    told.push([condition.dtype, condition.shape]);
    return div(x, condition.dtype === "f32" ? reshape(condition, [-1, 1]) : -1);
  });
  const options = { epsilon: 0.5, steps: 1, seed: 1 };
  using zeros = engine.untrack(engine.full([3, 2], 0));
  using condition = engine.tensor([1, 2, 4]);
  const settings = { ...options, noise: () => engine.zeros([3, 2]) };
  const started = async (extra: object) => {
    const start = engine.ones([3, 2]);
    const x = await langevin(engine, score, [3, 2], { ...settings, ...extra, start });
    const values = [...(await x.data())];
    x.dispose();
    return values;
  };
  expect(await started({})).toEqual([0.5, 0.5, 0.5, 0.5, 0.5, 0.5]);
  expect(await started({ condition })).toEqual([1.5, 1.5, 1.25, 1.25, 1.125, 1.125]);
  expect(told).toEqual([
    ["i32", [3]],
    ["f32", [3]],
  ]);
  expect(condition.disposed || zeros.disposed).toBe(false);
  using two = engine.zeros([2]);
  await expect(langevin(engine, score, [3, 2], { ...options, condition: two })).rejects.toThrow(
    "langevin: got condition [2] for samples [3,2], expected one for each, [n]",
  );
});
