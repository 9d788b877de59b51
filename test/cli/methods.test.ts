/** What the methods of `stein sample` tell on their way: the noise that they name is what is left in the images. */
import { expect, test } from "vitest";
import { parseConfig, type SdeConfig } from "../../cli/config.ts";
import type { Moment } from "../../cli/sampling/method.ts";
import { methodOf } from "../../cli/sampling/methods.ts";
import { lastTimeOf } from "../../cli/sampling/times.ts";
import { denoised } from "../../cli/sampling/watch.ts";
import { sdeOf } from "../../cli/score.ts";
import {
  add,
  cast,
  div,
  embedding,
  exp,
  mul,
  narrow,
  perSample,
  reshape,
  square,
  sub,
} from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { asScore } from "../../samplers/index.ts";
import { engine } from "../support/engine.ts";
import { tiny, tinyOnSde } from "./stein.ts";

const SHAPE = [64, 1, 8, 8];
/** All images are of one grey, nearly: for one image alone the methods' steps are exact, or next to it. */
const law = { mean: 0.05, variance: 1e-6 };

/** Noise by what a network is told of it, as the papers write it: in float64, and alpha and std^2 in ops. */
interface Told {
  readonly at: (told: number) => { readonly alpha: number; readonly std: number };
  readonly of: (told: Tensor) => readonly [alpha: Tensor, variance: Tensor];
}

const each = <T>(count: number, f: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => f(i));
const geometric = (from: number, to: number, count: number): number[] =>
  each(count, (i) => from * (to / from) ** (i / (count - 1)));

const bySigma: Told = {
  at: (sigma) => ({ alpha: 1, std: sigma }),
  of: (sigma) => [engine.ones(sigma.shape), square(sigma)],
};

/** log alpha = -19.9 / 4 t^2 - 0.1 / 2 t with t = told / 999. */
const byTime: Told = {
  at(told) {
    const alpha = Math.exp(-4.975 * (told / 999) ** 2 - 0.05 * (told / 999));
    return { alpha, std: Math.sqrt(1 - alpha ** 2) };
  },
  of(told) {
    const alpha = exp(add(mul(square(told), -4.975 / 999 ** 2), mul(told, -0.05 / 999)));
    return [alpha, sub(1, square(alpha))];
  },
};

function inTable(alphas: readonly number[], stds: readonly number[]): Told {
  const rows = each(alphas.length, (i) => [alphas[i]!, stds[i]! ** 2]);
  const table = engine.untrack(engine.tensor(rows.flat(), [rows.length, 2]));
  return {
    at: (label) => ({ alpha: alphas[label]!, std: stds[label]! }),
    of(label) {
      const found = embedding(table, cast(label, "i32"));
      return [reshape(narrow(found, 1, 0, 1), [-1]), reshape(narrow(found, 1, 1, 1), [-1])];
    },
  };
}

const scales = (from: number, to: number, count: number) =>
  inTable(new Array<number>(count).fill(1), geometric(from, to, count));
const ladder = scales(1, 0.1, 3);
const descending = scales(4, 0.05, 12);
let kept = 1;
const alphas = each(40, (i) => Math.sqrt((kept *= 1 - (0.1 + (19.9 * i) / 39) / 40)));
const chain = inTable(
  alphas,
  alphas.map((alpha) => Math.sqrt(1 - alpha ** 2)),
);

type Sampling = Record<string, unknown>;
const annealed = (sampling: Sampling) => tiny({ sampling: { prior: "normal", ...sampling } });
const onVe = (sampling: Sampling, continuous = true) =>
  tinyOnSde({ sde: { name: "ve", sigmaMin: 0.05, sigmaMax: 4, numScales: 12, continuous }, sampling });
const onVp = (sampling: Sampling, continuous = true) =>
  tinyOnSde({ sde: { name: "vp", sigmaMax: undefined, numScales: 40, continuous }, sampling });
const ancestral = { method: "pc", predictor: "ancestral_sampling", corrector: "none" };

const cases: readonly [name: string, yaml: string, Told, steps?: number][] = [
  // Langevin steps of this size give 1 / (1 - 0.05) of the variance, and leave 0.9^50 of what was before them.
  ["annealed", annealed({ method: "annealed", stepsPerLevel: 25, epsilon: 1e-3 }), ladder, 25],
  ["consistent", annealed({ method: "consistent", epsilon: 8e-3 }), ladder],
  ["pc on the VE SDE", onVe(ancestral), bySigma],
  ["pc on its steps", onVe(ancestral, false), descending],
  ["ode on the VE SDE", onVe({ method: "ode" }), bySigma],
  ["ode on the VP SDE", onVp({ method: "ode" }), byTime],
  ["heun on the VE SDE", onVe({ method: "heun", steps: 20 }), bySigma],
  ["ddim on the VE SDE", onVe({ method: "ddim", steps: 6 }), bySigma],
  ["ddim on its steps", onVe({ method: "ddim", steps: 6, eta: 1 }, false), descending],
  ["ddim on the VP SDE", onVp({ method: "ddim", steps: 8, eta: 0.5 }), byTime],
  ["ddim on DDPM's chain", onVp({ method: "ddim", steps: 8 }, false), chain],
  ["edm", onVe({ method: "edm", steps: 6 }), bySigma],
  ["edm with churn", onVe({ method: "edm", steps: 6, churn: 1 }), bySigma],
];

test.each(cases)("%s", async (_, yaml, told, steps = 1) => {
  const score = asScore((x, condition) => {
    const [alpha, variance] = told.of(condition);
    const spread = add(mul(square(alpha), law.variance), variance);
    return div(sub(perSample(mul(alpha, law.mean), x), x), perSample(spread, x));
  });
  const method = methodOf(parseConfig(yaml, "test"));
  const progress: number[] = [];
  const noises: number[] = [];
  const onStep = async ({ x, noise, ...moment }: Moment) => {
    progress.push(moment.progress);
    const values = (await x.data()) as Float32Array;
    const { alpha, std } = noise ? told.at(noise.told) : { alpha: 1, std: 0 };
    noises.push(std);
    const variance = alpha ** 2 * law.variance + std ** 2;
    const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
    if (moment.progress % steps === 0)
      expect(Math.abs(mean - alpha * law.mean)).toBeLessThan(0.08 * Math.sqrt(variance) + 1e-3);
    if (!noise || moment.progress % steps > 0) return;
    const spread = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length;
    expect(Math.sqrt(spread / variance)).toBeGreaterThan(0.92);
    expect(Math.sqrt(spread / variance)).toBeLessThan(1.08);
    using clean = denoised(score, x, noise);
    const seen = (await clean.data()) as Float32Array;
    const share = (alpha * law.variance) / variance;
    const worst = seen.reduce((most, v, i) => {
      const expected = law.mean + share * (values[i]! - alpha * law.mean);
      return Math.max(most, Math.abs(v - expected));
    }, 0);
    expect(worst).toBeLessThan(1e-3);
  };
  const { x } = await method.draw(engine, score, { shape: SHAPE, sampleOffset: 0, onStep });
  const end = (await x.data()) as Float32Array;
  x.dispose();
  expect(end.reduce((most, v) => Math.max(most, Math.abs(v - law.mean)), 0)).toBeLessThan(0.05);
  expect(progress).toEqual(progress.toSorted((a, b) => a - b));
  expect(progress.at(-1)).toBe(method.total);
  expect(noises).toEqual(noises.toSorted((a, b) => b - a));
  expect(noises[0]! / noises.at(-2)!).toBeGreaterThan(3); // noise of another step would be seen
});

test.each([
  ["vp", { method: "pc", corrector: "none", steps: 100 }, 999 / 100],
  ["subvp", { method: "pc", corrector: "none", steps: 100 }, 999 / 100],
  ["vp", { method: "heun", steps: 20 }, 0.999],
  ["subvp", { method: "heun", steps: 20 }, 0.999],
] as const)("few steps on the %s SDE end without noise: %o", async (name, sampling, least) => {
  const score = asScore((x, condition) => {
    const [alpha, variance] = byTime.of(condition);
    const noise = name === "vp" ? variance : square(variance);
    return div(sub(perSample(mul(alpha, law.mean), x), x), perSample(noise, x));
  });
  const yaml = tinyOnSde({
    sde: { name, sigmaMax: undefined, numScales: 1000 },
    sampling,
  });
  const method = methodOf(parseConfig(yaml, "test"));
  const told: number[] = [];
  const onStep = async ({ noise }: Moment) => void (noise && told.push(noise.told));
  const { x } = await method.draw(engine, score, { shape: SHAPE, sampleOffset: 0, onStep });
  const end = (await x.data()) as Float32Array;
  x.dispose();
  const squares = end.reduce((sum, v) => sum + (v - law.mean) ** 2, 0);
  expect(Math.sqrt(squares / end.length)).toBeLessThan(0.05); // 0.4 and more from the last time of 1000 steps, and in Heun's equal steps of the sub-VP SDE
  expect(told.at(-1)).toBeCloseTo(least, 9);
});

test.each(["ode", "heun"])(
  "the probability flow by %s of a network that knows DDPM's 1000 steps: the law of the images",
  async (method) => {
    let product = 1;
    const alphas = each(1000, (i) => Math.sqrt((product *= 1 - (0.1 + (19.9 * i) / 999) / 1000)));
    const steps = inTable(
      alphas,
      alphas.map((alpha) => Math.sqrt(1 - alpha ** 2)),
    );
    const broad = { mean: 0.3, std: 0.25 };
    const score = asScore((x, condition) => {
      const [alpha, variance] = steps.of(condition);
      const spread = add(mul(square(alpha), broad.std ** 2), variance);
      return div(sub(perSample(mul(alpha, broad.mean), x), x), perSample(spread, x));
    });
    const sde = { name: "vp", sigmaMax: undefined, numScales: 1000, continuous: false };
    const { draw } = methodOf(parseConfig(tinyOnSde({ sde, sampling: { method } }), "test"));
    const onStep = async () => {};
    const { x } = await draw(engine, score, { shape: [256, 1, 8, 8], sampleOffset: 0, onStep });
    const values = (await x.data()) as Float32Array;
    x.dispose();
    const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
    const std = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
    // Four standard errors, and a step of the chain, of whose times a label names one end.
    expect(Math.abs(mean - broad.mean)).toBeLessThan((4 * broad.std) / Math.sqrt(values.length) + 1e-3);
    expect(Math.abs(std / broad.std - 1)).toBeLessThan(4 / Math.sqrt(2 * values.length) + 0.01);
  },
);

test("the last time is the published one in the published number of steps, on the VE SDE and on a chain's own steps", () => {
  const last = (yaml: string, steps?: number) => {
    const config = parseConfig(yaml, "test") as SdeConfig;
    return lastTimeOf(config, sdeOf(config, steps));
  };
  expect([last(onVp({}), 1000), last(onVp({}), 2000), last(onVp({}), 250)]).toEqual([1e-3, 1e-3, 4e-3]);
  expect([last(onVe({})), last(onVe({}, false)), last(onVp({}, false))]).toEqual([1e-5, 1e-5, 1e-3]);
});
