import { describe, expect, test } from "vitest";
import { type AnnealedInpaintingOptions, annealedInpainting } from "../../samplers/index.ts";
import { engine } from "../support/engine.ts";
import { blurred, gaussianScore, inverse, type Matrix, type Point, times } from "./closed-form.ts";
import { expectGaussian, type Moments } from "./moments.ts";

const mean: Point = [0.3, -0.2];
const covariance: Matrix = [
  [0.09, 0.04],
  [0.04, 0.03],
];
const sigmas = [0.5, 0.2, 0.1];
const settings = { sigmas, stepsPerLevel: 3, epsilon: 0.003, seed: 3 };
/** The second coordinate is known. */
const GIVEN = 0.4;
const noisyMean = (x: number): Point => [x, GIVEN];
const diagonal = (a: number, b: number): Matrix => [
  [a, 0],
  [0, b],
];

/** The points' law by the rules of the two forms, without denoising: with a linear score all steps are affine. */
function recursion(redraw: "level" | "step", prior: "uniform" | "normal"): Moments {
  const [middle, variance] = prior === "uniform" ? [0.5, 1 / 12] : [0, sigmas[0]! ** 2];
  let m = noisyMean(middle);
  let c = diagonal(variance, variance);
  const redrawn = (sigma: number) => {
    m = noisyMean(m[0]);
    c = diagonal(c[0][0], sigma ** 2);
  };
  for (const sigma of sigmas) {
    const a = (settings.epsilon * sigma ** 2) / sigmas.at(-1)! ** 2;
    const p = inverse(blurred(covariance, sigma));
    const held = redraw === "level";
    if (held) redrawn(sigma);
    for (let t = 0; t < settings.stepsPerLevel; t++) {
      if (!held) redrawn(sigma);
      const keep: Matrix = [[1 - a * p[0][0], -a * p[0][1]], held ? [0, 1] : [-a * p[1][0], 1 - a * p[1][1]]];
      const d: Point = [m[0] - mean[0], m[1] - mean[1]];
      m = [mean[0] + keep[0][0] * d[0] + keep[0][1] * d[1], mean[1] + keep[1][0] * d[0] + keep[1][1] * d[1]];
      const moved = times(times(keep, c), [
        [keep[0][0], keep[1][0]],
        [keep[0][1], keep[1][1]],
      ]);
      c = [
        [moved[0][0] + 2 * a, moved[0][1]],
        [moved[1][0], moved[1][1] + (held ? 0 : 2 * a)],
      ];
    }
  }
  return { mean: m, covariance: c };
}

async function draw(n: number, options: Partial<AnnealedInpaintingOptions> = {}): Promise<Float32Array> {
  using target = gaussianScore(engine, mean, covariance, sigmas);
  using known = engine.tensor([7, GIVEN]); // what is not known does not matter
  using mask = engine.tensor([0, 1]);
  const x = await annealedInpainting(engine, target.score, [n, 2], { ...settings, known, mask, ...options });
  const points = (await x.data()) as Float32Array;
  x.dispose();
  return points;
}

describe.each(["level", "step"] as const)("noise for the known part once a %s", (redraw) => {
  test.each(["uniform", "normal"] as const)(
    "the points have the moments of the recursion from prior %s, to Monte Carlo error",
    async (prior) => {
      expectGaussian(await draw(10_000, { redraw, prior, denoise: false }), recursion(redraw, prior));
    },
  );

  test("denoised, what is known ends as it was given", async () => {
    const points = await draw(50, { redraw });
    const noisy = await draw(50, { redraw, denoise: false });
    const p = inverse(blurred(covariance, sigmas.at(-1)!));
    for (let i = 0; i < points.length; i += 2) {
      const [u, v] = [noisy[i]! - mean[0], noisy[i + 1]! - mean[1]];
      expect(points[i]!).toBeCloseTo(noisy[i]! - sigmas.at(-1)! ** 2 * (p[0][0] * u + p[0][1] * v), 5);
      expect(points[i + 1]).toBe(Math.fround(GIVEN));
    }
  });
});

test("by level unless told", async () => {
  expect(await draw(20)).toEqual(await draw(20, { redraw: "level" }));
  expect(await draw(20)).not.toEqual(await draw(20, { redraw: "step" }));
});

test("each sample may know something else", async () => {
  const [known, mask] = [engine.tensor([1, 2, 3, 4], [2, 2]), engine.tensor([1, 0, 0, 1], [2, 2])];
  const points = await draw(2, { known, mask });
  expect([points[0], points[3]]).toEqual([1, 4]);
  for (const t of [known, mask]) t.dispose();
});

test("messages", async () => {
  using three = engine.zeros([3]);
  await expect(draw(2, { known: three })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[UsageError: annealedInpainting: got known [3] for samples [2,2], expected what stretches to them]`,
  );
  using deep = engine.zeros([1, 2, 2]);
  await expect(draw(2, { mask: deep })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[UsageError: annealedInpainting: got mask [1,2,2] for samples [2,2], expected what stretches to them]`,
  );
  using soft = engine.tensor([0.5, 1], [2]);
  await expect(draw(2, { mask: soft })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[UsageError: annealedInpainting: got mask 0.5 at element 0, expected 1 where the samples are known and 0 where they are to be drawn]`,
  );
  using missing = engine.tensor([1, Number.NaN], [2]);
  await expect(draw(2, { known: missing })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[UsageError: annealedInpainting: got known NaN at element 1, expected finite numbers, also where the mask is 0]`,
  );
  await expect(draw(2, { redraw: "never" as "step" })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[UsageError: annealedInpainting: got redraw never, expected level or step]`,
  );
  await expect(draw(2, { stepsPerLevel: 0 })).rejects.toThrow(
    "annealedInpainting: got stepsPerLevel 0, expected a whole number from 1",
  );
});
