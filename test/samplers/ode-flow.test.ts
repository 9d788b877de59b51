import { describe, expect, test } from "vitest";
import { UsageError } from "../../engine/errors.ts";
import { add, scale } from "../../engine/ops/index.ts";
import { randn } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import {
  asScore,
  decode,
  encode,
  euler,
  type FlowSampleOptions,
  type FlowStep,
  heun,
  rk45,
  roundTrip,
  type Sde,
  sampleFlow,
  subVp,
  ve,
  vp,
} from "../../samplers/index.ts";
import { engine } from "../support/engine.ts";
import { zScore } from "../support/near.ts";
import { type Diffused, diffusedGaussian, diffusedMixture, type Gaussian, rowsOf } from "./diffused.ts";

const sdes: readonly Sde[] = [ve({ sigmaMin: 0.01, sigmaMax: 10 }), vp(), subVp()];

/** The closed forms are told the time itself. */
const condition = (t: number) => t;

const tilted: Gaussian = {
  mean: [0.3, -0.2],
  axes: [
    [0.6, 0.8],
    [-0.8, 0.6],
  ],
  variances: [0.16, 0.04],
};
const two = [
  { weight: 0.7, mean: [0.2, 0.3], sigma: 0.1 },
  { weight: 0.3, mean: [0.8, 0.6], sigma: 0.06 },
];

/** Points, and how they came about. */
async function sample(target: Diffused, n: number, options: Omit<FlowSampleOptions, "condition">) {
  const { x, ...rest } = await sampleFlow(engine, target.score, [n, 2], { condition, ...options });
  const points = (await x.data()) as Float32Array<ArrayBuffer>;
  x.dispose();
  return { points, ...rest };
}

describe.each(sdes.map((sde) => [sde.name, sde] as const))("%s", (_, sde) => {
  const eps = sde.samplingEps;

  test("a Gaussian: each latent goes where the closed form says, to the solver's tolerance", async () => {
    using target = diffusedGaussian(engine, sde, tilted);
    using z = scale(randn(engine, [64, 2], { seed: 4, purpose: "prior" }), sde.priorStd);
    const { x, nfe, times } = await decode(target.score, z, { sde, condition });
    const [from, to] = await engine.readAll([z, x]);
    x.dispose();
    for (const [i, value] of target.flow(from!, sde.T, eps).entries())
      expect(Math.abs(to![i]! - value)).toBeLessThan(2e-4);
    expect([times[0], times.at(-1)]).toEqual([sde.T, eps]);
    expect((nfe - 2) % 6).toBe(0);
    expect(nfe).toBeGreaterThanOrEqual(2 + 6 * (times.length - 1));
  });

  test("a Gaussian: mean and covariance of samples, to Monte Carlo error", async () => {
    using target = diffusedGaussian(engine, sde, tilted);
    const n = 10_000;
    const { points } = await sample(target, n, { sde, seed: 5 });
    // The flow is affine, and the prior is N(0, priorStd^2 I): what it makes of that is exact.
    const [origin, first, second] = rowsOf(
      target.flow([0, 0, sde.priorStd, 0, 0, sde.priorStd], sde.T, eps),
      2,
    ) as [number[], number[], number[]];
    const columns = [first, second].map((end) => end.map((value, i) => value - origin[i]!));
    const rows = rowsOf(points, 2);
    for (const i of [0, 1]) {
      const variance = (j: number, k: number) => columns.reduce((total, c) => total + c[j]! * c[k]!, 0);
      const away = (row: number[], j: number) => row[j]! - origin[j]!;
      const mean = rows.reduce((total, row) => total + row[i]!, 0) / n;
      expect(Math.abs(zScore(mean, origin[i]!, Math.sqrt(variance(i, i)), n)), `mean ${i}`).toBeLessThan(4);
      for (const j of [0, 1]) {
        const covariance = rows.reduce((total, row) => total + away(row, i) * away(row, j), 0) / n;
        const deviation = Math.sqrt(variance(i, i) * variance(j, j) + variance(i, j) ** 2);
        const z = zScore(covariance, variance(i, j), deviation, n);
        expect(Math.abs(z), `covariance ${i} ${j}`).toBeLessThan(4);
      }
    }
  });

  test("a mixture, there and back: what comes back is what went, to the solver's tolerance", async () => {
    using target = diffusedMixture(engine, sde, two);
    const { points } = await sample(target, 50, { sde, seed: 6 });
    using x = engine.tensor(points, [50, 2]);
    const error = async (tolerance: number) => {
      const solver = rk45({ rtol: tolerance, atol: tolerance });
      const trip = await roundTrip(target.score, x, { sde, condition, solver });
      trip.latent.x.dispose();
      trip.back.x.dispose();
      expect(trip.back.times[0]).toBe(sde.T);
      expect(trip.latent.times[0]).toBe(eps);
      return trip.error;
    };
    const [coarse, fine] = [await error(1e-3), await error(1e-5)];
    expect(fine).toBeLessThan(3e-4);
    expect(fine).toBeLessThan(coarse / 5);
  });
});

test("a mixture: weights, means and variances of its parts, to Monte Carlo error", async () => {
  const sde = vp();
  using target = diffusedMixture(engine, sde, two);
  const n = 10_000;
  const { points } = await sample(target, n, { sde, seed: 7 });
  const { alpha, std } = sde.marginalAt(sde.samplingEps);
  const distance = (row: number[], mean: number[]) => Math.hypot(row[0]! - mean[0]!, row[1]! - mean[1]!);
  for (const [k, { weight, mean, sigma }] of two.entries()) {
    const mine = rowsOf(points, 2).filter(
      (row) => distance(row, two[0]!.mean) < distance(row, two[1]!.mean) === (k === 0),
    );
    const [count, deviation] = [mine.length, Math.hypot(alpha * sigma, std)];
    const share = zScore(count / n, weight, Math.sqrt(weight * (1 - weight)), n);
    expect(Math.abs(share), `weight ${k}`).toBeLessThan(4);
    for (const i of [0, 1]) {
      const average = mine.reduce((total, row) => total + row[i]!, 0) / count;
      expect(Math.abs(zScore(average, alpha * mean[i]!, deviation, count)), `mean ${k} ${i}`).toBeLessThan(4);
      const spread = mine.reduce((total, row) => total + (row[i]! - average) ** 2, 0) / count;
      const z = zScore(spread / deviation ** 2, 1, Math.SQRT2, count);
      expect(Math.abs(z), `variance ${k} ${i}`).toBeLessThan(4);
    }
  }
});

describe("options", () => {
  const sde = vp();

  test("fixed steps come to the same end, Heun's in fewer evaluations than Euler's", async () => {
    using target = diffusedGaussian(engine, sde, tilted);
    const reached = async (solver: FlowSampleOptions["solver"]) => {
      const { points, nfe } = await sample(target, 32, { sde, seed: 8, ...(solver && { solver }) });
      return { points, nfe };
    };
    const adaptive = await reached(undefined);
    const away = (points: Float32Array) =>
      points.reduce((top, value, i) => Math.max(top, Math.abs(value - adaptive.points[i]!)), 0);
    const [first, second] = [await reached(euler(200)), await reached(heun(100))];
    expect([first.nfe, second.nfe]).toEqual([200, 200]);
    expect(away(first.points)).toBeLessThan(0.1);
    expect(away(second.points)).toBeLessThan(0.02);
    expect(away(second.points)).toBeLessThan(away(first.points) / 3);
  });

  test("denoise ends with the mean of a step of the reverse diffusion, and counts its evaluation", async () => {
    for (const one of sdes) {
      using target = diffusedGaussian(engine, one, tilted);
      const noisy = await sample(target, 8, { sde: one, seed: 9, solver: heun(10) });
      const clean = await sample(target, 8, { sde: one, seed: 9, solver: heun(10), denoise: true });
      expect(clean.nfe).toBe(noisy.nfe + 1);
      const { drift, diffusion } = one.discretize(one.samplingEps);
      const end = engine.scope(() => {
        const x = engine.tensor(noisy.points, [8, 2]);
        const score = target.score(x, engine.full([8], one.samplingEps));
        return add(scale(x, 1 - drift), scale(score, diffusion ** 2));
      });
      for (const [i, value] of (await end.data()).entries()) expect(clean.points[i]).toBeCloseTo(value, 6);
      end.dispose();
    }
  });

  test("temperature scales the latents", async () => {
    using target = diffusedGaussian(engine, sde, tilted);
    const [warm, cool] = [
      await sample(target, 16, { sde, seed: 10 }),
      await sample(target, 16, { sde, seed: 10, temperature: 0.5 }),
    ];
    const [centre] = rowsOf(target.flow([0, 0], sde.T, sde.samplingEps), 2);
    for (const [i, value] of cool.points.entries()) {
      const c = centre![i % 2]!;
      expect(value - c).toBeCloseTo((warm.points[i]! - c) / 2, 3);
    }
  });

  test("seeds: the same samples again, to the bit, and a batch in parts has the same latents", async () => {
    using target = diffusedMixture(engine, sde, two);
    const of = async (n: number, changes: { seed?: number; sampleOffset?: number } = {}) =>
      (await sample(target, n, { sde, seed: 11, solver: heun(10), ...changes })).points;
    const whole = await of(20);
    expect(await of(20)).toEqual(whole);
    const parts = [...(await of(8)), ...(await of(12, { sampleOffset: 8 }))];
    for (const [i, value] of whole.entries()) expect(parts[i]).toBeCloseTo(value, 5);
    expect(await of(20, { seed: 12 })).not.toEqual(whole);
  });

  test("onStep is awaited after each step", async () => {
    using target = diffusedGaussian(engine, sde, tilted);
    const seen: (Omit<FlowStep, "x"> & { first: number })[] = [];
    const { points, times, nfe } = await sample(target, 4, {
      sde,
      seed: 13,
      async onStep({ x, ...progress }) {
        seen.push({ ...progress, first: (await x.data())[0]! });
      },
    });
    expect(seen.map(({ t }) => t)).toEqual(times.slice(1));
    const { length, ...last } = seen.at(-1)!;
    expect(last).toEqual({ t: sde.samplingEps, done: times.length - 1, nfe, first: points[0] });
    expect(length).toBeGreaterThan(0);
  });

  test.each([
    ["rk45", rk45({ rtol: 1e-3, atol: 1e-3 })],
    ["heun", heun(6)],
    ["euler", euler(6)],
  ])("left after any step of %s, the flow goes on to the same samples, to the bit", async (_, solver) => {
    using target = diffusedGaussian(engine, sde, tilted);
    const left: { start: Tensor; after: Omit<FlowStep, "x"> }[] = [];
    const onStep = ({ x, ...after }: FlowStep) =>
      void left.push({ start: engine.untrack(scale(x, 1)), after });
    const whole = await sample(target, 4, { sde, seed: 13, solver, denoise: true, onStep });
    expect(left.length).toBeGreaterThan(3);
    for (const { start, after } of left) {
      const rest = await sample(target, 4, { sde, seed: 13, solver, denoise: true, start, after });
      expect(rest.points, `after ${after.done}`).toEqual(whole.points);
      expect([rest.nfe, rest.times]).toEqual([whole.nfe, whole.times.slice(after.done)]);
      start.dispose();
    }
  });

  test("a place to go on from that is none is refused", async () => {
    using target = diffusedGaussian(engine, sde, tilted);
    using start = engine.zeros([2, 2]);
    const after = { t: 0.5, done: 1, nfe: 2 };
    const refused = (options: Partial<FlowSampleOptions>) => sample(target, 2, { sde, seed: 1, ...options });
    await expect(refused({ after })).rejects.toThrow(
      "sampleFlow: got a point at time 0.5 without a start, expected the samples there",
    );
    await expect(refused({ start, after })).rejects.toThrow(
      "rk45: got a state at 0.5 with next length NaN, expected a positive one",
    );
    await expect(refused({ start, after: { ...after, t: 2 } })).rejects.toThrow(
      `rk45: got a state at 2, expected a time between 1 and ${sde.samplingEps}`,
    );
    await expect(refused({ start, after: { ...after, done: 9 }, solver: heun(4) })).rejects.toThrow(
      "heun: got a state at 0.5 after 9 steps, expected at most 4 steps",
    );
    using odd = engine.zeros([3, 2]);
    await expect(refused({ start: odd })).rejects.toThrow(
      "sampleFlow: got start [3,2] for samples [2,2], expected one shape",
    );
  });

  test("eps is where the data are", async () => {
    using target = diffusedGaussian(engine, sde, tilted);
    using x = engine.tensor([0.5, 0.1], [1, 2]);
    const { x: latent, times } = await encode(target.score, x, { sde, condition, eps: 0.2 });
    expect([times[0], times.at(-1)]).toEqual([0.2, 1]);
    const got = await latent.data();
    latent.dispose();
    for (const [i, value] of target.flow([0.5, 0.1], 0.2, 1).entries()) expect(got[i]).toBeCloseTo(value, 4);
  });

  test("a score that throws, and a listener that does: all memory is given back", async () => {
    using target = diffusedGaussian(engine, sde, tilted);
    const { live } = engine.memory();
    const stop = () => {
      throw new Error("enough");
    };
    await expect(sample(target, 4, { sde, seed: 1, onStep: stop })).rejects.toThrow("enough");
    await expect(sample({ ...target, score: asScore(stop) }, 4, { sde, seed: 1 })).rejects.toThrow("enough");
    expect(engine.memory().live).toBe(live);
  });

  test.each([
    [{ eps: 0 }, "decode: got eps 0, expected a time between 0 and 1"],
    [{ eps: 1 }, "decode: got eps 1, expected a time between 0 and 1"],
    [{ temperature: 0 }, "sampleFlow: got temperature 0, expected a positive number"],
    [{ sampleOffset: -1 }, "sampleFlow: got sampleOffset -1, expected a whole number from 0"],
    [{ sampleOffset: 0.5 }, "sampleFlow: got sampleOffset 0.5, expected a whole number from 0"],
    [{ seed: -1 }, "random: got seed -1, expected a whole number from 0 to 2^53 - 1"],
  ] as const)("refuses %o before it asks for a score", async (changes, says) => {
    const score = asScore(() => expect.fail("the score was asked for"));
    const { live } = engine.memory();
    const fault = await sampleFlow(engine, score, [2, 2], { sde, seed: 1, ...changes }).catch(
      (e: unknown) => e,
    );
    expect(fault).toBeInstanceOf(UsageError);
    expect((fault as Error).message).toBe(says);
    expect(engine.memory().live).toBe(live);
  });
});
