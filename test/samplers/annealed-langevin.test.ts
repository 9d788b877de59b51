import { describe, expect, test } from "vitest";
import { exactScore } from "../../bench/figures/mixture-score.ts";
import { mixture } from "../../data/mixture.ts";
import { UsageError } from "../../engine/errors.ts";
import {
  type AnnealedLangevinOptions,
  annealedLangevin,
  asScore,
  type SamplerStep,
} from "../../samplers/index.ts";
import { geometricSigmas } from "../../train/index.ts";
import { engine } from "../support/engine.ts";
import { smallRun } from "../train/small-run.ts";
import { blurred, gaussianScore, inverse, type Matrix, type Point, times } from "./closed-form.ts";
import { expectGaussian, expectMixture } from "./moments.ts";

const two = [
  { weight: 0.7, mean: [0.2, 0.3], sigma: 0.1 },
  { weight: 0.3, mean: [0.8, 0.6], sigma: 0.06 },
] as const;
const ladder = geometricSigmas({ begin: 1, end: 0.02, count: 16 });
const short = { sigmas: ladder.slice(0, 3), stepsPerLevel: 4, epsilon: 0.02, seed: 11 };

/** Runs the sampler on the mixture and returns its points. */
async function draw(n: number, options: Partial<AnnealedLangevinOptions> = {}): Promise<Float32Array> {
  const settings = { ...short, ...options };
  using target = exactScore(engine, two, settings.sigmas);
  const x = await annealedLangevin(engine, target.score, [n, 2], settings);
  const points = (await x.data()) as Float32Array;
  x.dispose();
  return points;
}

test("the score written in ops is the mixture's own", async () => {
  using target = exactScore(engine, two, ladder);
  const points = Float32Array.from({ length: 64 }, (_, i) => Math.sin(7 * i));
  for (const [label, sigma] of ladder.entries()) {
    const got = await engine
      .scope(() =>
        target.score(engine.tensor(points, [32, 2]), engine.tensor(new Int32Array(32).fill(label))).alias(),
      )
      .data();
    const expected = mixture(two).score(points, sigma);
    for (const [i, value] of expected.entries())
      expect(Math.abs(got[i]! - value)).toBeLessThan(1e-5 * (1 + Math.abs(value)));
  }
});

test("from uniform noise to a Gaussian: mean and covariance are those of the recursion, to Monte Carlo error", async () => {
  // With a linear score every state is Gaussian but for its start, and its moments follow the step's rule exactly:
  // m <- m + a P (mean - m), C <- (I - a P) C (I - a P)^T + 2 a I, with P the precision and a the step size.
  const [mean, covariance]: [Point, Matrix] = [
    [0.3, -0.2],
    [
      [0.09, 0.04],
      [0.04, 0.03],
    ],
  ];
  const [n, sigmas, stepsPerLevel, epsilon] = [10_000, [0.5, 0.2, 0.1], 3, 0.003];
  let [m, c]: [Point, Matrix] = [
    [0.5, 0.5],
    [
      [1 / 12, 0],
      [0, 1 / 12],
    ],
  ];
  for (const sigma of sigmas) {
    const a = (epsilon * sigma ** 2) / 0.1 ** 2;
    const p = inverse(blurred(covariance, sigma));
    const keep: Matrix = [
      [1 - a * p[0][0], -a * p[0][1]],
      [-a * p[1][0], 1 - a * p[1][1]],
    ];
    for (let t = 0; t < stepsPerLevel; t++) {
      const d: Point = [m[0] - mean[0], m[1] - mean[1]];
      m = [mean[0] + keep[0][0] * d[0] + keep[0][1] * d[1], mean[1] + keep[1][0] * d[0] + keep[1][1] * d[1]];
      c = blurred(
        times(times(keep, c), [
          [keep[0][0], keep[1][0]],
          [keep[0][1], keep[1][1]],
        ]),
        Math.sqrt(2 * a),
      );
    }
  }

  using target = gaussianScore(engine, mean, covariance, sigmas);
  const x = await annealedLangevin(engine, target.score, [n, 2], {
    sigmas,
    stepsPerLevel,
    epsilon,
    seed: 3,
    denoise: false,
  });
  expectGaussian((await x.data()) as Float32Array, { mean: m, covariance: c });
  x.dispose();
});

test("a mixture: weights, means and variances of the two parts, to Monte Carlo error", async () => {
  // Steps small enough for the last level: its bias in the variance, epsilon / (2 variance), is below 1 %.
  const n = 2000;
  const points = await draw(n, { sigmas: ladder, stepsPerLevel: 50, epsilon: 6e-5, denoise: false });
  expectMixture(points, two, ladder.at(-1)!);
});

describe("seeds", () => {
  test("one seed gives one set of points, to the bit; another gives another", async () => {
    const first = await draw(50);
    expect(await draw(50)).toEqual(first);
    const other = await draw(50, { seed: 12 });
    expect(first.filter((v, i) => v === other[i]).length).toBe(0);
  });

  test("a batch in parts by sampleOffset is the whole, to the bit", async () => {
    const whole = await draw(50);
    const parts = [await draw(17), await draw(33, { sampleOffset: 17 })];
    expect(Float32Array.from(parts.flatMap((p) => [...p]))).toEqual(whole);
  });

  test("of a network too, to rounding", async () => {
    using run = smallRun(engine);
    const images = async (n: number, sampleOffset: number) => {
      const settings = { sigmas: run.sigmas, stepsPerLevel: 3, epsilon: 1e-3, seed: 5, sampleOffset };
      const x = await annealedLangevin(engine, run.score, [n, 1, 8, 8], settings);
      const values = [...((await x.data()) as Float32Array)];
      x.dispose();
      return values;
    };
    const whole = await images(5, 0);
    const parts = [...(await images(2, 0)), ...(await images(3, 2))];
    for (const [i, value] of whole.entries()) expect(Math.abs(parts[i]! - value)).toBeLessThan(1e-5);
    expect(whole.slice(0, 64)).not.toEqual(whole.slice(64, 128));
  });
});

test("denoise ends with x + sigma^2 score, to the mean of what x was blurred from", async () => {
  const noisy = await draw(40, { denoise: false });
  const clean = await draw(40, { denoise: true });
  const sigma = short.sigmas.at(-1)!;
  const score = mixture(two).score(noisy, sigma);
  for (const [i, value] of clean.entries()) expect(value).toBeCloseTo(noisy[i]! + sigma ** 2 * score[i]!, 5);
  expect(await draw(40)).toEqual(clean); // on unless told
});

describe("onStep", () => {
  test("is awaited after each step, with the chain as it stands then", async () => {
    const seen: (Omit<SamplerStep, "x"> & { first: number })[] = [];
    let busy = false;
    const points = await draw(6, {
      denoise: false,
      async onStep({ x, ...progress }) {
        expect(busy).toBe(false);
        busy = true;
        seen.push({ ...progress, first: (await x.data())[0]! });
        busy = false;
      },
    });
    expect(seen.map(({ done, total, level, sigma }) => [done, total, level, sigma])).toEqual(
      Array.from({ length: 12 }, (_, i) => [i + 1, 12, Math.floor(i / 4), short.sigmas[Math.floor(i / 4)]]),
    );
    expect(new Set(seen.map(({ first }) => first)).size).toBe(12);
    expect(seen.at(-1)!.first).toBe(points[0]);
    expect(await draw(6, { denoise: false })).toEqual(points); // looking changes nothing
  });

  test("may throw: the chain is given up and its memory given back", async () => {
    using target = exactScore(engine, two, short.sigmas);
    const { live } = engine.memory();
    const stop = () => {
      throw new Error("enough");
    };
    await expect(annealedLangevin(engine, target.score, [6, 2], { ...short, onStep: stop })).rejects.toThrow(
      "enough",
    );
    expect(engine.memory().live).toBe(live);
  });
});

test("start is where the chain begins, and what it becomes", async () => {
  using target = exactScore(engine, two, short.sigmas);
  using start = engine.tensor([5, 5, -5, -5], [2, 2]);
  let first: ArrayLike<number> = [];
  const onStep = async ({ done, x }: SamplerStep) => {
    if (done === 1) first = await x.data();
  };
  const end = await annealedLangevin(engine, target.score, [2, 2], { ...short, start, onStep });
  expect(end).toBe(start);
  expect(first[0]).toBeGreaterThan(1); // one step from 5
  expect(first[2]).toBeLessThan(-1);
});

describe("refuses, before it draws anything,", () => {
  const refusal = async (changes: Partial<AnnealedLangevinOptions>) => {
    const score = asScore(() => expect.fail("the score was asked for"));
    const fault = await annealedLangevin(engine, score, [2, 2], { ...short, ...changes }).catch(
      (e: unknown) => e,
    );
    expect(fault).toBeInstanceOf(UsageError);
    return (fault as Error).message.replace(/^annealedLangevin: /, "");
  };

  test.each([
    [{ sigmas: [] }, "got sigma none at place 0, expected positive numbers, descending"],
    [{ sigmas: [1, 0.5, 0] }, "got sigma 0 at place 2, expected positive numbers, descending"],
    [{ sigmas: [0.5, 1] }, "got sigma 1 at place 1, expected positive numbers, descending"],
    [{ sigmas: [Infinity, 1] }, "got sigma Infinity at place 0, expected positive numbers, descending"],
    [{ sigmas: [Number.NaN] }, "got sigma NaN at place 0, expected positive numbers, descending"],
    [{ stepsPerLevel: 0 }, "got stepsPerLevel 0, expected a whole number from 1"],
    [{ stepsPerLevel: 1.5 }, "got stepsPerLevel 1.5, expected a whole number from 1"],
    [{ epsilon: 0 }, "got epsilon 0, expected a positive number"],
    [{ epsilon: Number.NaN }, "got epsilon NaN, expected a positive number"],
    [{ sampleOffset: -1 }, "got sampleOffset -1, expected a whole number from 0"],
    [{ prior: "gaussian" as never }, "got prior gaussian, expected uniform or normal"],
    [{ seed: -1 }, "random: got seed -1, expected a whole number from 0 to 2^53 - 1"],
  ] as const)("%o", async (changes, says) => {
    expect(await refusal(changes)).toBe(says);
  });

  test("a start of another shape", async () => {
    using start = engine.zeros([3, 2]);
    expect(await refusal({ start })).toBe("got start [3,2] for samples [2,2], expected one shape");
  });
});
