/** The page's drawing, which knows no browser, on Gaussian images whose score and clean mean are known. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mul, perSample, sub } from "../../engine/ops/index.ts";
import { asScore } from "../../samplers/index.ts";
import { lookUp } from "../../train/losses/denoising.ts";
import { draw, type Moment, type Settings, type Watching } from "../../web/sample/drawing.ts";
import type { Trained } from "../../web/sample/network.ts";
import { engine } from "../support/engine.ts";

const [MEAN, STD] = [0.4, 0.3];
const sigmas = [1, 0.4, 0.16];
const image = [1, 2, 2] as const;

/** Images N(MEAN, STD^2 I): the score of those with noise sigma is (MEAN - x) / (STD^2 + sigma^2). */
const gaussian: Trained = {
  engine,
  sigmas,
  image,
  score: asScore((x, labels) => {
    const precision = lookUp(
      sigmas.map((sigma) => 1 / (STD ** 2 + sigma ** 2)),
      labels,
    );
    return mul(sub(MEAN, x), perSample(precision, x));
  }),
  dispose: () => {},
};

const settings: Settings = {
  ...{ method: "annealed", count: 3, stepsPerLevel: 2, epsilon: 0.002, seed: 4, denoise: true },
};
const never = new AbortController().signal;

async function moments(asked: Settings): Promise<Moment[]> {
  const met: Moment[] = [];
  const onStep: Watching["onStep"] = async ({ done, total, level, sigma }, look) => {
    met.push({ ...(await look()), done, total, level, sigma });
  };
  await draw(gaussian, asked, { signal: never, onStep });
  return met;
}

let before: number;
beforeAll(() => {
  before = engine.memory().live;
});
afterAll(() => {
  expect(engine.memory().live).toBe(before);
});

describe.each(["annealed", "consistent"] as const)("%s", (method) => {
  const asked = { ...settings, method, epsilon: method === "consistent" ? 0.02 : 0.002 };

  test("what the network sees is the mean of the clean images, given those before the step", async () => {
    const met = await moments(asked);
    expect(met.map(({ done }) => done)).toEqual(method === "consistent" ? [1, 2, 3] : [1, 2, 3, 4, 5, 6]);
    for (const [k, { seen, sigma }] of met.entries()) {
      if (k === 0) continue;
      const { x } = met[k - 1]!;
      for (const [i, value] of seen.entries()) {
        const mean = (STD ** 2 * x[i]! + sigma ** 2 * MEAN) / (STD ** 2 + sigma ** 2);
        expect(Math.abs(value - mean)).toBeLessThan(2e-6);
      }
    }
  });

  test("looking changes nothing", async () => {
    const watched = (await moments(asked)).at(-1)!.x;
    let last: Float32Array | undefined;
    const onStep: Watching["onStep"] = async ({ done, total }, look) => {
      if (done === total) last = (await look()).x;
    };
    await draw(gaussian, asked, { signal: never, onStep });
    expect(last).toEqual(watched);
  });
});

test("known pixels end as they were given, the hidden ones are drawn", async () => {
  const pixels = Float32Array.of(0.1, 0.2, 0.3, 0.4);
  const known = Float32Array.of(1, 1, 0, 1);
  const values = await draw(
    gaussian,
    { ...settings, given: { pixels, known } },
    { signal: never, onStep: async () => {} },
  );
  for (const [i, value] of values.entries()) if (known[i % 4]) expect(value).toBeCloseTo(pixels[i % 4]!, 6);
  expect(new Set([2, 6, 10].map((i) => values[i])).size).toBe(3);
});

test("ends with the signal's reason, and frees all it held", async () => {
  const reason = new Error("enough");
  const live = engine.memory().live;
  const given = { pixels: new Float32Array(4), known: Float32Array.of(1, 0, 1, 0) };
  for (const asked of [settings, { ...settings, given }]) {
    const run = new AbortController();
    const onStep: Watching["onStep"] = async ({ done }) => {
      if (done === 3) run.abort(reason);
      expect(done).toBeLessThan(4);
    };
    await expect(draw(gaussian, asked, { signal: run.signal, onStep })).rejects.toBe(reason);
    expect(engine.memory().live).toBe(live);
  }
});

test("images that are not finite are refused with the step size that made them", async () => {
  const asked = { ...settings, epsilon: 1e30 };
  await expect(draw(gaussian, asked, { signal: never, onStep: async () => {} })).rejects.toThrow(
    "sample: the images are not finite with step size 1e+30, expected one of about 2e-5; lower it",
  );
});
