/** Every loss learns the score of a small law, as its closed form says. */
import { expect, test } from "vitest";
import { fisherDivergence } from "../../bench/figures/fisher.ts";
import { fitScore, scoreAt } from "../../bench/figures/fit-score.ts";
import { type Law, sampleLaw, twoModes } from "../../bench/figures/law.ts";
import { exactScore } from "../../bench/figures/mixture-score.ts";
import { lowerWeight } from "../../bench/figures/modes.ts";
import { mixture } from "../../data/mixture.ts";
import { random } from "../../data/random.ts";
import { twoGaussians } from "../../data/toys.ts";
import { matchingNames } from "../../train/index.ts";
import { engine } from "../support/engine.ts";

const components = [
  { weight: 0.4, mean: [-1, 0], sigma: 0.5 },
  { weight: 0.6, mean: [1, 0.5], sigma: 0.4 },
];
const density = mixture(components);
const law: Law = {
  name: "two close Gaussians",
  sigma: 0.4,
  clean(n, seed) {
    const r = random(seed);
    return Float32Array.from(Array.from({ length: n }, () => density.draw(r)).flat());
  },
  score: (x) => density.score(x, 0.4),
};
const small = { steps: 200, batch: 128, lr: 0.02, hidden: 24, seed: 3, emaDecay: 0.95 };

/**
 * tr C^-1 with the covariance C of the blurred law: of all scores that are linear, as a Gaussian's, the best one has the
 * divergence E|grad log p|^2 - tr C^-1.
 */
const tracePrecision = (() => {
  const [first, second] = components as [(typeof components)[0], (typeof components)[0]];
  const round = components.reduce((sum, c) => sum + c.weight * (c.sigma ** 2 + law.sigma ** 2), 0);
  const [u, v] = [0, 1].map((d) => second.mean[d]! - first.mean[d]!) as [number, number];
  const share = first.weight * second.weight;
  return 1 / round + 1 / (round + share * (u * u + v * v)); // C = round I + share (u, v) (u, v)^T
})();

test.each(matchingNames)(
  "%s comes nearer than any Gaussian's score, its opposite nowhere near",
  async (loss) => {
    const { network, losses } = await fitScore(engine, law, { ...small, loss });
    const points = sampleLaw(law, 2000, 17);
    const learned = await scoreAt(engine, network, points);
    network.dispose();
    const truth = law.score(points);
    const { absolute, relative, ofZero } = fisherDivergence(learned, truth);
    expect(relative.mean).toBeGreaterThan(0);
    expect(absolute.mean).toBeLessThan(ofZero.mean - tracePrecision);
    const opposite = fisherDivergence(
      learned.map((v) => -v),
      truth,
    );
    expect(opposite.relative.mean).toBeGreaterThan(2);
    expect(losses.length).toBe(small.steps);
    expect(losses.every((value) => Number.isFinite(value) && value !== 0)).toBe(true); // each has its own place
  },
);

test("the same seed comes to the same bits, another seed does not, and no memory is kept", async () => {
  const before = engine.memory().live;
  const run = async (seed: number) => {
    const { network, losses } = await fitScore(engine, law, { ...small, loss: "ssm-vr", steps: 4, seed });
    network.dispose();
    return [...losses];
  };
  const first = await run(3);
  expect(await run(3)).toEqual(first);
  expect(await run(4)).not.toEqual(first);
  expect(engine.memory().live).toBe(before);
});

test("denoising without noise is refused", async () => {
  const asked = fitScore(engine, twoModes, { ...small, loss: "dsm" });
  await expect(asked).rejects.toThrowErrorMatchingInlineSnapshot(
    `[UsageError: fitScore: got dsm on two_gaussians without a blur, expected sigma above 0, or another loss]`,
  );
});

test("the exact score in ops is the mixture's own at every noise scale", async () => {
  const sigmas = [20, 1, 0.1];
  using exact = exactScore(engine, twoGaussians.components, sigmas);
  const points = Float32Array.from({ length: 60 }, (_, i) => 8 * Math.sin(5 * i));
  for (const [label, sigma] of sigmas.entries()) {
    const evaluate = () =>
      exact.score(engine.tensor(points, [30, 2]), engine.tensor(new Int32Array(30).fill(label))).alias();
    const values = engine.scope(evaluate);
    const got = await values.data();
    values.dispose();
    for (const [i, expected] of twoGaussians.score(points, sigma).entries())
      expect(Math.abs(got[i]! - expected)).toBeLessThan(1e-5 * (1 + Math.abs(expected)));
  }
});

test("a weight is the share below the line between the modes", () => {
  expect(lowerWeight([-5, -5, 5, 5, 4, 4, 6, -7])).toEqual({ mean: 0.5, error: 0.25 });
});
