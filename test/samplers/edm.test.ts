import { describe, expect, test } from "vitest";
import { add, scale } from "../../engine/ops/index.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import { asScore, type EdmOptions, edm, edmSigmas, ve } from "../../samplers/index.ts";
import { engine } from "../support/engine.ts";
import { diffusedGaussian, diffusedMixture } from "./diffused.ts";
import { expectGaussian, expectMixture } from "./moments.ts";

/** A diffusion whose time is its sigma. */
const bySigma: Parameters<typeof diffusedGaussian>[1] = {
  ...ve({ sigmaMin: 0.01, sigmaMax: 50 }),
  marginal: (sigma) => ({ alpha: engine.ones(sigma.shape), std: sigma }),
  marginalAt: (sigma) => ({ alpha: 1, std: sigma }),
};
const [mean, variances] = [
  [0.3, -0.2],
  [0.25, 0.04],
];
const plain = {
  mean,
  variances,
  axes: [
    [1, 0],
    [0, 1],
  ],
};
const schedule = { sigmaMin: 0.002, sigmaMax: 20 };

async function points(n: number, options: Partial<EdmOptions> = {}): Promise<Float32Array> {
  using target = diffusedGaussian(engine, bySigma, plain);
  const x = await edm(engine, target.score, [n, 2], { ...schedule, steps: 12, seed: 3, ...options });
  const values = (await x.data()) as Float32Array;
  x.dispose();
  return values;
}

/** What is drawn and kept of x - mean along axis i, in the recursion of algorithm 2: { factor, variance of what is added }. */
function recursion(variance: number, sigmas: readonly number[], raise: (sigma: number) => number, noise = 1) {
  let [factor, added] = [1, 0];
  const slope = (sigma: number) => sigma / (variance + sigma ** 2);
  for (let k = 0; k + 1 < sigmas.length; k++) {
    const [hat, to] = [raise(sigmas[k]!), sigmas[k + 1]!];
    added += noise ** 2 * (hat ** 2 - sigmas[k]! ** 2);
    const euler = 1 + (to - hat) * slope(hat);
    const keep = to === 0 ? euler : 1 + ((to - hat) / 2) * (slope(hat) + slope(to) * euler);
    [factor, added] = [factor * keep, added * keep ** 2];
  }
  return { factor, added };
}

test("the published scales", () => {
  const sigmas = edmSigmas({ steps: 18, sigmaMin: 0.002, sigmaMax: 80 });
  expect(sigmas).toHaveLength(19);
  expect(sigmas.map((s) => Number(s.toPrecision(4)))).toMatchInlineSnapshot(`
    [
      80,
      57.59,
      40.79,
      28.37,
      19.35,
      12.91,
      8.401,
      5.315,
      3.257,
      1.923,
      1.088,
      0.5853,
      0.2964,
      0.1395,
      0.05995,
      0.02293,
      0.007528,
      0.002,
      0,
    ]
  `);
  expect(edmSigmas({ steps: 1, sigmaMin: 1, sigmaMax: 2 }).map((s) => Number(s.toFixed(12)))).toEqual([2, 0]);
  const [first, middle, last] = edmSigmas({ steps: 3, sigmaMin: 1, sigmaMax: 9, rho: 2 });
  expect([first, middle, last].map((s) => Number(s!.toFixed(12)))).toEqual([9, 4, 1]);
});

describe("without churn", () => {
  test("each point goes where Heun's steps lead, to rounding", async () => {
    using start = engine.tensor([10, 3, -7, 15, 0.5, -20], [3, 2]);
    const before = [...(await start.data())];
    const ends = await points(3, { start });
    const sigmas = edmSigmas({ ...schedule, steps: 12 });
    for (const [i, value] of ends.entries()) {
      const { factor } = recursion(variances[i % 2]!, sigmas, (s) => s);
      expect(value).toBeCloseTo(mean[i % 2]! + factor * (before[i]! - mean[i % 2]!), 4);
    }
  });

  test("of second order: twice the steps, a quarter of the error", async () => {
    using target = diffusedGaussian(engine, bySigma, plain);
    const from = [10, 3, -7, 15, 0.5, -20];
    const exact = target.flow(from, schedule.sigmaMax, 0);
    const error = async (steps: number) => {
      using start = engine.tensor(from, [3, 2]);
      const ends = await points(3, { start, steps });
      return Math.max(...exact.map((value, i) => Math.abs(ends[i]! - value)));
    };
    const errors = [await error(12), await error(24), await error(48)];
    expect(errors[0]! / errors[1]!).toBeGreaterThan(3.2);
    expect(errors[0]! / errors[1]!).toBeLessThan(5.5);
    expect(errors[1]! / errors[2]!).toBeGreaterThan(3.2);
    expect(errors[1]! / errors[2]!).toBeLessThan(5.5);
  });

  test("a mixture: shares, means and covariances", async () => {
    const parts = [
      { weight: 0.7, mean: [0.2, 0.3], sigma: 0.1 },
      { weight: 0.3, mean: [0.8, 0.6], sigma: 0.06 },
    ] as const;
    using target = diffusedMixture(engine, bySigma, parts);
    const x = await edm(engine, target.score, [10_000, 2], { ...schedule, steps: 40, seed: 4 });
    expectMixture((await x.data()) as Float32Array, parts);
    x.dispose();
  });
});

describe("churn", () => {
  const sigmas = edmSigmas({ ...schedule, steps: 12 });

  test.each([
    ["at all scales", { amount: 3 }, (s: number) => s * 1.25],
    ["between two", { amount: 2.4, min: 0.05, max: 5 }, (s: number) => (s >= 0.05 && s <= 5 ? s * 1.2 : s)],
    ["with more noise", { amount: 1.2, noise: 1.1 }, (s: number) => s * 1.1],
    ["never by more than sqrt 2", { amount: 100 }, (s: number) => s * Math.SQRT2],
  ])("%s: mean and covariance are those of the recursion", async (_, churn, raise) => {
    const noise = "noise" in churn ? churn.noise : 1;
    const moved = variances.map((v) => recursion(v, sigmas, raise, noise));
    const [vx, vy] = moved.map(({ factor, added }) => (factor * schedule.sigmaMax) ** 2 + added);
    expectGaussian(await points(10_000, { churn }), {
      mean: [0, 1].map((i) => mean[i]! * (1 - moved[i]!.factor)) as [number, number],
      covariance: [
        [vx!, 0],
        [0, vy!],
      ],
    });
  });

  test("of 0 is none", async () => {
    expect(await points(20, { churn: { amount: 0 } })).toEqual(await points(20));
  });
});

test("the score is told sigma before and after each step, or what condition makes of it", async () => {
  const sigmas = edmSigmas({ sigmaMin: 1, sigmaMax: 3, steps: 3 });
  const expected = [sigmas[0], sigmas[1], sigmas[1], sigmas[2], sigmas[2]] as number[];
  for (const [condition, of] of [
    [undefined, (s: number) => s],
    [Math.log, Math.log],
  ] as const) {
    const asked: Tensor[] = [];
    const score = asScore((x, told) => {
      asked.push(engine.untrack(add(told, 0)));
      return x;
    });
    const noise = (shape: Shape) => engine.zeros(shape); // steps run one by one
    const options = { sigmaMin: 1, sigmaMax: 3, steps: 3, seed: 1, noise, ...(condition && { condition }) };
    (await edm(engine, score, [2, 2], options)).dispose();
    const told = await engine.readAll(asked);
    expect(told.map((values) => [...values])).toEqual(
      expected.map((s) => [expect.closeTo(of(s), 5), expect.closeTo(of(s), 5)]),
    );
    for (const t of asked) t.dispose();
  }
});

test("with churn the score is told sigma raised by a share of amount / N, at most sqrt 2 - 1, between min and max", async () => {
  const sigmas = edmSigmas({ sigmaMin: 1, sigmaMax: 3, steps: 4 });
  for (const [churn, factors] of [
    [{ amount: 1 }, [1.25, 1.25, 1.25, 1.25]],
    [{ amount: 100 }, [Math.SQRT2, Math.SQRT2, Math.SQRT2, Math.SQRT2]],
    [{ amount: 1, min: 1.2, max: 2.5 }, [1, 1.25, 1.25, 1]],
  ] as const) {
    const asked: Tensor[] = [];
    const score = asScore((x, told) => {
      asked.push(engine.untrack(add(told, 0)));
      return x;
    });
    const noise = (shape: Shape) => engine.zeros(shape); // steps run one by one
    const options = { sigmaMin: 1, sigmaMax: 3, steps: 4, seed: 1, noise, churn };
    (await edm(engine, score, [1, 2], options)).dispose();
    const told = (await engine.readAll(asked)).map(([value]) => value!);
    for (const [i, factor] of factors.entries()) expect(told[2 * i]).toBeCloseTo(factor * sigmas[i]!, 5);
    for (const t of asked) t.dispose();
  }
});

test("no condition is asked for of the noise scale 0, at which no score is", async () => {
  const asked: number[] = [];
  const condition = (sigma: number) => {
    asked.push(sigma);
    return sigma;
  };
  const score = asScore((x) => scale(x, -1));
  (await edm(engine, score, [1, 2], { sigmaMin: 1, sigmaMax: 3, steps: 3, seed: 1, condition })).dispose();
  expect(Math.min(...asked)).toBeCloseTo(1, 12);
});

test("messages", async () => {
  const score = asScore(() => expect.fail("the score was asked for"));
  const refusal = (options: Partial<EdmOptions>) =>
    edm(engine, score, [2, 2], { ...schedule, steps: 3, seed: 1, ...options }).catch(
      (e: Error) => `${e.name}: ${e.message}`,
    );
  expect(await refusal({ steps: 0 })).toMatchInlineSnapshot(
    `"UsageError: edm: got steps 0, expected a whole number from 1"`,
  );
  expect(await refusal({ sigmaMin: 0 })).toMatchInlineSnapshot(
    `"UsageError: edm: got sigmaMin 0, expected a positive number"`,
  );
  expect(await refusal({ sigmaMin: 30 })).toMatchInlineSnapshot(
    `"UsageError: edm: got sigmaMin 30, sigmaMax 20, expected sigmaMin < sigmaMax"`,
  );
  expect(await refusal({ rho: -1 })).toMatchInlineSnapshot(
    `"UsageError: edm: got rho -1, expected a positive number"`,
  );
  expect(await refusal({ churn: { amount: -1 } })).toMatchInlineSnapshot(
    `"UsageError: edm: got churn amount -1, expected a number from 0"`,
  );
  expect(await refusal({ churn: { amount: 1, min: 2, max: 1 } })).toMatchInlineSnapshot(
    `"UsageError: edm: got churn from 2 to 1, expected 0 <= min <= max"`,
  );
  expect(await refusal({ churn: { amount: 1, noise: 0 } })).toMatchInlineSnapshot(
    `"UsageError: edm: got churn noise 0, expected a positive number"`,
  );
  expect(await refusal({ sampleOffset: -1 })).toMatchInlineSnapshot(
    `"UsageError: edm: got sampleOffset -1, expected a whole number from 0"`,
  );
});
