/** What the Learn view runs: its sets, its training, its chains, against closed forms and without a page. */
import { describe, expect, test } from "vitest";
import { estimate, type FisherDivergence, fisherDivergence } from "../../bench/figures/fisher.ts";
import { sampleLaw } from "../../bench/figures/law.ts";
import { exactScore } from "../../bench/figures/mixture-score.ts";
import { swissRoll } from "../../data/toys.ts";
import { LiveFit } from "../../web/learn/live-fit.ts";
import { Particles } from "../../web/learn/particles.ts";
import { Probe } from "../../web/learn/probe.ts";
import { DrawnPoints, pointSets } from "../../web/learn/sets.ts";
import { defaults, type LearnSettings, requireSettings, sigmasOf } from "../../web/learn/settings.ts";
import { engine } from "../support/engine.ts";

const small: LearnSettings = { ...defaults, batch: 128, hidden: 24, lr: 0.02 };
const ladder = { kind: "ladder", begin: 1.5, end: 0.5, count: 3 } as const;
const one = { kind: "one", sigma: 0.5 } as const;

const pair = new DrawnPoints();
pair.add(-1, 0);
pair.add(1, 0.5);

/**
 * tr C^-1 with the covariance C of the two points blurred by sigma: of all scores that are linear, as a Gaussian's, the
 * best one has the divergence E|grad log p|^2 - tr C^-1.
 */
const tracePrecision = (sigma: number): number => 1 / sigma ** 2 + 1 / (sigma ** 2 + (2 ** 2 + 0.5 ** 2) / 4);

async function divergence(fit: LiveFit): Promise<FisherDivergence> {
  const law = pair.law(0.5);
  const points = sampleLaw(law, 1000, 99);
  const probe = new Probe(engine, fit.shown.score, points);
  fit.show();
  probe.label = fit.sigmas.length - 1;
  const learned = await probe.look().data();
  probe.dispose();
  return fisherDivergence(learned as Float32Array, law.score(points));
}

describe("training", () => {
  test.each([
    ["denoising, one scale", { ...small, noise: one }],
    ["sliced, one scale", { ...small, noise: one, loss: "ssm-vr" } as const],
    ["denoising, the last of a ladder", { ...small, noise: ladder }],
  ])("%s: comes nearer than any Gaussian's score, from afar", async (_, settings) => {
    const before = engine.memory().live;
    const fit = new LiveFit(engine, pair.law(1), settings);
    expect((await divergence(fit)).relative.mean).toBeGreaterThan(0.7);
    fit.train(80);
    const early = fit.newLosses((await fit.losses.data()) as Float32Array);
    fit.train(100);
    const late = fit.newLosses((await fit.losses.data()) as Float32Array);
    expect([early.length, late.length, fit.steps]).toEqual([80, 100, 180]);
    expect(estimate(late).mean).toBeLessThan(estimate(early).mean);
    const { absolute, ofZero } = await divergence(fit);
    expect(absolute.mean).toBeLessThan(ofZero.mean - tracePrecision(0.5));
    fit.dispose();
    expect(engine.memory().live).toBe(before);
  });

  test("how steps are grouped does not matter, the seed does", async () => {
    const losses = async (seed: number, groups: readonly number[]) => {
      const fit = new LiveFit(engine, pointSets.rings.law(0.4), { ...small, seed, noise: ladder });
      const all: number[] = [];
      for (const group of groups) {
        fit.train(group);
        all.push(...fit.newLosses((await fit.losses.data()) as Float32Array));
      }
      fit.dispose();
      return all;
    };
    const whole = await losses(5, [7]);
    expect(await losses(5, [1, 4, 2])).toEqual(whole);
    expect(await losses(6, [7])).not.toEqual(whole);
  });
});

test("chains on the exact score of a Gaussian have its mean and, but for the known bias, its variance", async () => {
  const [v, sigma, mean] = [0.5, 0.3, [1, -2]] as const;
  using exact = exactScore(engine, [{ weight: 1, mean, sigma: Math.sqrt(v) }], [sigma]);
  const particles = new Particles(engine, exact.score, { count: 1000, seed: 3, reach: 5, sigmas: [sigma] });
  particles.move(400);
  const x = (await particles.x.data()) as Float32Array;
  particles.dispose();
  const whole = v + sigma ** 2;
  const expected = whole / (1 - (0.1 * sigma ** 2) / (2 * whole)); // of Langevin steps of 0.1 sigma^2
  for (const axis of [0, 1]) {
    const values = x.filter((_, i) => i % 2 === axis);
    const off = estimate(values).mean - mean[axis]!;
    expect(Math.abs(off)).toBeLessThan(4 * Math.sqrt(expected / 1000));
    const squares = estimate(values.map((value) => (value - mean[axis]!) ** 2));
    expect(Math.abs(squares.mean - expected)).toBeLessThan(4 * squares.error);
  }
});

test("chains go down a ladder, rest and begin anew", async () => {
  const sigmas = [2, 1, 0.5];
  using exact = exactScore(engine, [{ weight: 1, mean: [0, 0], sigma: 0.1 }], sigmas);
  const particles = new Particles(engine, exact.score, { count: 500, seed: 3, reach: 5, sigmas });
  const levels = [particles.level];
  for (let k = 0; k < 3; k++) {
    particles.move(60);
    levels.push(particles.level);
  }
  expect(levels).toEqual([0, 1, 2, 2]);
  const end = (await particles.x.data()) as Float32Array;
  particles.move(240);
  expect(particles.level).toBe(0);
  const anew = (await particles.x.data()) as Float32Array;
  particles.dispose();
  const spread = (x: Float32Array) => estimate(x.map((value) => value * value)).mean;
  expect(Math.abs(spread(end) - 0.26)).toBeLessThan(0.06);
  expect(Math.abs(spread(anew) - 25 / 3)).toBeLessThan(1);
});

test("the swiss roll's score is that of its points: Stein's identity E[s x] = -1 at the points themselves", () => {
  const law = pointSets.swiss_roll.law(0.3);
  const x = sampleLaw(law, 2000, 5);
  const s = law.score(x);
  for (const axis of [0, 1]) {
    const products = estimate(
      Float64Array.from({ length: 2000 }, (_, i) => s[2 * i + axis]! * x[2 * i + axis]!),
    );
    expect(Math.abs(products.mean + 1)).toBeLessThan(4 * products.error);
  }
  expect(law.clean(10, 3)).toEqual(swissRoll.sample(10, 3));
});

test("drawn points: drawn from, and blurred as what they are", () => {
  const drawn = new DrawnPoints();
  drawn.add(1, 2);
  drawn.add(-3, 0);
  const law = drawn.law(0.5);
  drawn.add(0, 0); // a law stays what it was
  const clean = law.clean(1000, 1);
  const ones = clean.filter((value, i) => i % 2 === 0 && value === 1).length;
  expect(clean.every((value, i) => value === (i % 2 === 0 ? 1 : 2) || value === (i % 2 === 0 ? -3 : 0))).toBe(
    true,
  );
  expect(Math.abs(ones - 500)).toBeLessThan(4 * Math.sqrt(250));
  const [p, q] = [Math.exp(-(1 + 1) / 0.5), Math.exp(-(9 + 1) / 0.5)]; // of (0, 1) to (1, 2) and to (-3, 0)
  const [sx, sy] = law.score([0, 1]);
  expect(sx).toBeCloseTo((p * 1 + q * -3) / (p + q) / 0.25, 10);
  expect(sy).toBeCloseTo((p * 1 + q * -1) / (p + q) / 0.25, 10);
});

test.each([
  [{ ...small, lr: 0 }, "learn: got learning rate 0, expected a number above 0, at most 1; try 0.01"],
  [{ ...small, seed: 1.5 }, "learn: got seed 1.5, expected a whole number from 0; try 1"],
  [
    { ...small, noise: { kind: "one", sigma: 0 } } as const,
    "learn: got sigma 0, expected a number from 0.05 to 20; try 0.4",
  ],
  [
    { ...small, noise: { kind: "ladder", begin: 0.2, end: 2, count: 4 } } as const,
    "learn: got a ladder from 0.2 to 2, expected it to descend; swap the two",
  ],
  [
    { ...small, noise: { ...ladder, count: 1 } } as const,
    "learn: got 1 levels, expected a whole number from 2 to 64; try 8",
  ],
])("settings out of range are refused, %#", (settings, message) => {
  expect(() => requireSettings(settings)).toThrow(message);
});

test("a ladder is geometric", () => {
  const sigmas = sigmasOf({ kind: "ladder", begin: 8, end: 1, count: 4 });
  for (const [i, sigma] of sigmas.entries()) expect(sigma).toBeCloseTo(8 / 2 ** i, 12);
});
