import { expect, test } from "vitest";
import { exactScore } from "../../bench/figures/mixture-score.ts";
import { add, div, embedding, sub } from "../../engine/ops/index.ts";
import { randn } from "../../engine/random.ts";
import {
  asScore,
  type ConsistentAnnealingOptions,
  consistentAnnealing,
  langevin,
} from "../../samplers/index.ts";
import { geometricSigmas } from "../../train/index.ts";
import { engine } from "../support/engine.ts";
import { blurred, gaussianScore, inverse, type Matrix, type Point, times } from "./closed-form.ts";
import { expectGaussian, expectMixture, gaussianScores } from "./moments.ts";

const round = (variance: number): Matrix => [
  [variance, 0],
  [0, variance],
];

test("of a single image: the noise is what the next score is told, after every step", async () => {
  const sigmas = [1, 0.7, 0.5, 0.4];
  const epsilon = 0.5 * 0.4 ** 2;
  using target = gaussianScore(engine, [0.3, -0.2], round(0), sigmas);
  using image = engine.tensor([0.3, -0.2], [1, 2]);
  const start = engine.scope(() => add(randn(engine, [10_000, 2], { seed: 3, purpose: "user" }), image));
  const x = await consistentAnnealing(engine, target.score, [10_000, 2], {
    sigmas,
    epsilon,
    seed: 3,
    start,
    async onStep({ done, x }) {
      const next = sigmas[done];
      if (next) expectGaussian(await x.data(), { mean: [0.3, -0.2], covariance: round(next ** 2) });
    },
  });
  const ends = await x.data();
  x.dispose();
  for (const [i, value] of ends.entries()) expect(value).toBeCloseTo([0.3, -0.2][i % 2]!, 5); // denoised
});

test("where a step of Langevin dynamics leaves more noise", async () => {
  const [sigma, next, eta] = [1, 0.7, 0.5];
  using start = engine.untrack(engine.zeros([10_000, 2]));
  const score = asScore((x) => sub(0, div(x, sigma ** 2)));
  const x = await langevin(engine, score, [10_000, 2], {
    epsilon: eta * sigma ** 2,
    steps: 1,
    seed: 3,
    start,
  });
  const scores = gaussianScores(await x.data(), { mean: [0, 0], covariance: round(next ** 2) });
  expect(scores[2]).toBeGreaterThan(20);
});

test("of a Gaussian: the moments are those of the recursion", async () => {
  const [mean, covariance]: [Point, Matrix] = [
    [0.3, -0.2],
    [
      [0.09, 0.04],
      [0.04, 0.03],
    ],
  ];
  const sigmas = [1, 0.6, 0.4, 0.3];
  const [last, eta] = [0.3, 0.6];
  let [m, c]: [Point, Matrix] = [[0, 0], round(1)];
  for (const [i, sigma] of sigmas.entries()) {
    const p = inverse(blurred(covariance, sigma));
    const a = eta * sigma ** 2;
    const keep: Matrix = [
      [1 - a * p[0][0], -a * p[0][1]],
      [-a * p[1][0], 1 - a * p[1][1]],
    ];
    const d: Point = [m[0] - mean[0], m[1] - mean[1]];
    m = [mean[0] + keep[0][0] * d[0] + keep[0][1] * d[1], mean[1] + keep[1][0] * d[0] + keep[1][1] * d[1]];
    const next = sigmas[i + 1];
    const noise = next ? Math.sqrt(next ** 2 - ((1 - eta) * sigma) ** 2) : 0;
    c = blurred(times(times(keep, c), keep), noise); // keep is symmetric
  }
  using target = gaussianScore(engine, mean, covariance, sigmas);
  const options = { sigmas, epsilon: eta * last ** 2, seed: 3, denoise: false };
  const x = await consistentAnnealing(engine, target.score, [10_000, 2], options);
  expectGaussian(await x.data(), { mean: m, covariance: c });
  x.dispose();
});

test("of a mixture, down many scales: shares, means and covariances", async () => {
  const parts = [
    { weight: 0.7, mean: [0.2, 0.3], sigma: 0.1 },
    { weight: 0.3, mean: [0.8, 0.6], sigma: 0.06 },
  ] as const;
  const sigmas = geometricSigmas({ begin: 3, end: 0.01, count: 200 });
  const ratio = sigmas[1]! / sigmas[0]!;
  using target = exactScore(engine, parts, sigmas);
  const options = { sigmas, epsilon: (1 - ratio ** 2) * 0.01 ** 2, seed: 4 };
  const x = await consistentAnnealing(engine, target.score, [10_000, 2], options);
  expectMixture((await x.data()) as Float32Array, parts);
  x.dispose();
});

test("denoise off leaves the last step's share of the noise", async () => {
  const sigmas = [1, 0.8];
  const table = engine.tensor([1, 0.64], [2, 1]);
  const score = asScore((x, labels) => sub(0, div(x, embedding(table, labels))));
  const run = async (denoise: boolean) => {
    const options = { sigmas, epsilon: 0.5 * 0.64, seed: 1, denoise };
    const x = await consistentAnnealing(engine, score, [3, 2], options);
    const values = [...(await x.data())];
    x.dispose();
    return values;
  };
  expect((await run(true)).every((v) => Math.abs(v) < 1e-6)).toBe(true);
  expect((await run(false)).every((v) => Math.abs(v) > 1e-3)).toBe(true);
  table.dispose();
});

test("messages", async () => {
  const refusal = (options: Partial<ConsistentAnnealingOptions>) =>
    consistentAnnealing(
      engine,
      asScore(() => expect.fail("the score was asked for")),
      [2, 2],
      {
        sigmas: [1, 0.5, 0.25],
        epsilon: 0.04,
        seed: 1,
        ...options,
      },
    ).catch((e: Error) => `${e.name}: ${e.message}`);
  expect(await refusal({ epsilon: 0.03 })).toMatchInlineSnapshot(
    `"UsageError: consistentAnnealing: got epsilon 0.03 for these scales, expected 0.0313 to 0.0938: each step has to leave less noise than the next scale has; give an epsilon in between"`,
  );
  expect(await refusal({ epsilon: 0.1 })).toMatchInlineSnapshot(
    `"UsageError: consistentAnnealing: got epsilon 0.1 for these scales, expected 0.0313 to 0.0938: each step has to leave less noise than the next scale has; give an epsilon in between"`,
  );
  expect(await refusal({ epsilon: -1 })).toMatchInlineSnapshot(
    `"UsageError: consistentAnnealing: got epsilon -1, expected a positive number"`,
  );
  expect(await refusal({ sigmas: [0.5, 1] })).toMatchInlineSnapshot(
    `"UsageError: consistentAnnealing: got sigma 1 at place 1, expected positive numbers, descending"`,
  );
  expect(await refusal({ sampleOffset: -1 })).toMatchInlineSnapshot(
    `"UsageError: consistentAnnealing: got sampleOffset -1, expected a whole number from 0"`,
  );
});
