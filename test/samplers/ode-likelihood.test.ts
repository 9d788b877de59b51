import { describe, expect, test } from "vitest";
import { UsageError } from "../../engine/errors.ts";
import { mul, silu } from "../../engine/ops/index.ts";
import { randn } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import {
  asScore,
  heun,
  type Likelihood,
  type LikelihoodOptions,
  likelihood,
  type Probe,
  type Sde,
  subVp,
  ve,
  vp,
} from "../../samplers/index.ts";
import { engine } from "../support/engine.ts";
import {
  type Diffused,
  diffusedGaussian,
  diffusedMixture,
  type Gaussian,
  type RoundPart,
  rowsOf,
} from "./diffused.ts";

/** sigmaMax is far above the means, of which the prior of the VE SDE knows nothing. */
const sdes: readonly Sde[] = [ve({ sigmaMin: 0.01, sigmaMax: 100 }), vp(), subVp()];
const EPS = 1e-5;
/** The closed forms are told the time itself. */
const condition = (t: number) => t;

const tilted: Gaussian = {
  mean: [0.3, -0.2],
  axes: [
    [0.6, 0.8],
    [-0.8, 0.6],
  ],
  variances: [0.5, 0.2],
};
/** Eight dimensions; the axes are mirrored unit vectors (Householder 1958). */
const long = ((): Gaussian => {
  const normal = [1, -2, 3, 1, 0, 2, -1, 2];
  const squares = normal.reduce((total, v) => total + v * v, 0);
  return {
    mean: [0.2, -0.1, 0, 0.3, -0.2, 0.1, 0, 0.1],
    axes: normal.map((a, i) => normal.map((b, j) => (i === j ? 1 : 0) - (2 * a * b) / squares)),
    variances: [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
  };
})();
const narrow = [
  { weight: 0.7, mean: [0.2, 0.3], sigma: 0.1 },
  { weight: 0.3, mean: [0.8, 0.6], sigma: 0.06 },
];
/** Not far from the prior, so that probes have little to disagree about. */
const broad = [
  { weight: 0.6, mean: [-0.6, 0.4], sigma: 0.9 },
  { weight: 0.4, mean: [0.7, -0.3], sigma: 0.8 },
];

/** Standard normal numbers. */
async function normal(n: number, d: number): Promise<number[][]> {
  using z = randn(engine, [n, d], { seed: 21, purpose: "user" });
  return rowsOf(await z.data(), d);
}

/** n points of a Gaussian and of a mixture, rows in a row. */
const drawnFrom = async ({ mean, axes, variances }: Gaussian, n: number) =>
  (await normal(n, mean.length)).flatMap((z) =>
    mean.map((m, i) => axes.reduce((x, axis, k) => x + axis[i]! * Math.sqrt(variances[k]!) * z[k]!, m)),
  );
const drawnFromParts = async (parts: readonly RoundPart[], n: number) =>
  (await normal(n, 2)).flatMap((z, row) => {
    const { mean, sigma } = parts[row / n < parts[0]!.weight ? 0 : 1]!;
    return mean.map((m, i) => m + sigma * z[i]!);
  });

async function bits(
  target: Pick<Diffused, "score">,
  x: readonly number[],
  d: number,
  options: LikelihoodOptions,
): Promise<Omit<Likelihood, "latent"> & { latent: number[] }> {
  using data = engine.tensor(x, [x.length / d, d]);
  const { latent, ...rest } = await likelihood(target.score, data, { condition, ...options });
  const values = [...(await latent.data())];
  latent.dispose();
  return { ...rest, latent: values };
}

const mean = (values: ArrayLike<number>) =>
  Array.from(values).reduce((total, v) => total + v, 0) / values.length;
const inBits = (logp: number, d: number) => -logp / (d * Math.LN2);

/** Mean difference in bits per dimension, and how many standard errors that is. */
function against(got: Likelihood["bitsPerDim"], exact: readonly number[], d: number) {
  const differences = Array.from(got, (value, i) => value - inBits(exact[i]!, d));
  const average = mean(differences);
  const deviation = Math.sqrt(mean(differences.map((v) => (v - average) ** 2)));
  return {
    average,
    z: (average / deviation) * Math.sqrt(got.length),
    worst: Math.max(...differences.map(Math.abs)),
  };
}

describe.each(sdes.map((sde) => [sde.name, sde] as const))("%s", (_, sde) => {
  test.each([
    [2, tilted],
    [8, long],
  ] as const)(
    "a Gaussian in %d dimensions, exact: every sample's bits, latent and volume",
    async (d, gaussian) => {
      using target = diffusedGaussian(engine, sde, gaussian);
      const x = await drawnFrom(gaussian, 20);
      const found = await bits(target, x, d, { sde, probe: "exact" });
      expect(against(found.bitsPerDim, target.logDensity(x, EPS), d).worst).toBeLessThan(0.01);
      const latent = target.flow(x, EPS, sde.T);
      for (const [i, value] of latent.entries())
        expect(Math.abs(found.latent[i]! - value)).toBeLessThan(2e-4 * sde.priorStd);
      for (const [i, delta] of found.deltaLogp.entries()) {
        expect(Math.abs(delta - target.logVolume(EPS, sde.T))).toBeLessThan(1e-3);
        expect(found.logp[i]).toBeCloseTo(found.priorLogp[i]! + delta, 10);
        expect(found.bitsPerDim[i]).toBeCloseTo(inBits(found.logp[i]!, d), 10);
      }
    },
  );

  test("a Gaussian, Gaussian probes v: each estimate is the sum over the axes of (v . axis)^2 log stretching", async () => {
    using target = diffusedGaussian(engine, sde, tilted);
    const x = await drawnFrom(tilted, 20);
    using probe = randn(engine, [20, 2], { seed: 7, purpose: "user" });
    const { deltaLogp } = await bits(target, x, 2, { sde, probe });
    const [before, after] = [sde.marginalAt(EPS), sde.marginalAt(sde.T)];
    const stretching = tilted.variances.map(
      (v) =>
        0.5 * Math.log((after.alpha ** 2 * v + after.std ** 2) / (before.alpha ** 2 * v + before.std ** 2)),
    );
    for (const [i, row] of rowsOf(await probe.data(), 2).entries()) {
      const along = tilted.axes.map((axis) => axis[0]! * row[0]! + axis[1]! * row[1]!);
      const exact = along.reduce((total, a, k) => total + a ** 2 * stretching[k]!, 0);
      expect(Math.abs(deltaLogp[i]! - exact)).toBeLessThan(1e-3);
    }
  });

  test("a mixture, exact: every sample's bits", async () => {
    using target = diffusedMixture(engine, sde, narrow);
    const x = await drawnFromParts(narrow, 60);
    const { bitsPerDim } = await bits(target, x, 2, { sde, probe: "exact" });
    expect(against(bitsPerDim, target.logDensity(x, EPS), 2).worst).toBeLessThan(0.01);
  });
});

/**
 * Gaussian probes of the VE SDE are left to the test of given probes: the divergence is so large that each sample's bits
 * have a standard deviation of 5, and a mean to 0.01 would take a million samples.
 */
const estimates = (["rademacher", "gaussian"] as const)
  .flatMap((probe) => sdes.map((sde) => [probe, sde.name, sde] as const))
  .filter(([probe, name]) => !(probe === "gaussian" && name === "ve"));

describe.each(estimates)("probe %s, %s", (probe: Probe, _, sde) => {
  test.each([
    [2, { ...tilted, variances: [1.3, 0.8] }],
    [8, { ...long, variances: [0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4] }],
  ] as const)("a Gaussian in %d dimensions: right on average", async (d, gaussian) => {
    using target = diffusedGaussian(engine, sde, gaussian);
    const x = await drawnFrom(gaussian, 2000);
    const { bitsPerDim } = await bits(target, x, d, { sde, probe, seed: 3 });
    const { average, z } = against(bitsPerDim, target.logDensity(x, EPS), d);
    expect(Math.abs(z)).toBeLessThan(4);
    expect(Math.abs(average)).toBeLessThan(0.01);
  });

  test("a mixture: right on average", async () => {
    using target = diffusedMixture(engine, sde, broad);
    const x = await drawnFromParts(broad, 4000);
    const { bitsPerDim } = await bits(target, x, 2, { sde, probe, seed: 4 });
    const { average, z } = against(bitsPerDim, target.logDensity(x, EPS), 2);
    expect(Math.abs(z)).toBeLessThan(4);
    expect(Math.abs(average)).toBeLessThan(0.01);
  });
});

describe("options", () => {
  const sde = vp();

  test("range counts bits of 256 grey values: 8 more on [0, 1], 7 on [-1, 1]; logp is as it was", async () => {
    using target = diffusedGaussian(engine, sde, tilted);
    const x = await drawnFrom(tilted, 5);
    const plain = await bits(target, x, 2, { sde, probe: "exact" });
    for (const [range, more] of [
      [[0, 1], 8],
      [[-1, 1], 7],
    ] as const) {
      const { bitsPerDim, logp } = await bits(target, x, 2, { sde, probe: "exact", range });
      expect(logp).toEqual(plain.logp);
      for (const [i, value] of bitsPerDim.entries())
        expect(value).toBeCloseTo(plain.bitsPerDim[i]! + more, 10);
    }
  });

  test("the probe may be given: basis vectors in turn add up to the exact divergence", async () => {
    using target = diffusedGaussian(engine, sde, tilted);
    const x = await drawnFrom(tilted, 6);
    const solver = heun(50);
    const along = async (axis: number) => {
      using probe = engine.tensor(
        Array.from({ length: 12 }, (_, i) => (i % 2 === axis ? 1 : 0)),
        [6, 2],
      );
      return (await bits(target, x, 2, { sde, probe, solver })).deltaLogp;
    };
    const [first, second] = [await along(0), await along(1)];
    const { deltaLogp } = await bits(target, x, 2, { sde, probe: "exact", solver });
    for (const [i, value] of deltaLogp.entries()) expect(first[i]! + second[i]!).toBeCloseTo(value, 4);
  });

  test("the probe is not what a sampler of the same seed draws in its first step", async () => {
    using target = diffusedGaussian(engine, sde, tilted);
    const x = await drawnFrom(tilted, 6);
    const solver = heun(20);
    const own = await bits(target, x, 2, { sde, probe: "gaussian", seed: 5, solver });
    using noise = randn(engine, [6, 2], { seed: 5, purpose: "sampler" });
    const first = await bits(target, x, 2, { sde, probe: noise, solver });
    for (const [i, value] of own.deltaLogp.entries())
      expect(Math.abs(value - first.deltaLogp[i]!)).toBeGreaterThan(1e-3);
  });

  test("a batch in parts by sampleOffset has the probes of the whole", async () => {
    using target = diffusedGaussian(engine, sde, tilted);
    const x = await drawnFrom(tilted, 10);
    const settings = { sde, seed: 5, solver: heun(20) };
    const whole = await bits(target, x, 2, settings);
    const parts = [
      ...(await bits(target, x.slice(0, 8), 2, settings)).logp,
      ...(await bits(target, x.slice(8), 2, { ...settings, sampleOffset: 4 })).logp,
    ];
    for (const [i, value] of whole.logp.entries()) expect(parts[i]).toBeCloseTo(value, 4);
    const other = await bits(target, x, 2, { ...settings, seed: 6 });
    expect(other.logp).not.toEqual(whole.logp);
  });

  test("onStep sees the samples; the count is the solver's; memory is given back, also when it throws", async () => {
    using target = diffusedGaussian(engine, sde, tilted);
    const { live } = engine.memory();
    const x = await drawnFrom(tilted, 3);
    const seen: number[] = [];
    const onStep = ({ x: now, t }: { x: Tensor; t: number }) => {
      expect(now.shape).toEqual([3, 2]);
      seen.push(t);
    };
    const { nfe, times } = await bits(target, x, 2, { sde, onStep, solver: heun(7) });
    expect(nfe).toBe(14);
    expect(seen).toEqual(times.slice(1));
    const stop = () => {
      throw new Error("enough");
    };
    await expect(bits(target, x, 2, { sde, onStep: stop })).rejects.toThrow("enough");
    await expect(bits({ score: asScore(stop) }, x, 2, { sde })).rejects.toThrow("enough");
    expect(engine.memory().live).toBe(live);
  });

  test.each(["exact", "rademacher"] as const)(
    "a score that does not depend on x has no divergence, %s: the densities are those of the drift alone",
    async (probe) => {
      const x = [0.3, -0.2, 1.5, 0.7];
      const constant = asScore((at) => at.engine.full(at.shape, 0.002));
      const nothing = asScore((at) => at.engine.zeros(at.shape));
      const densityOf = (std: number) => (logp: number, z: number) =>
        logp - 0.5 * (z / std) ** 2 - 0.5 * Math.log(2 * Math.PI * std ** 2);
      const near = (got: Float64Array, exact: number[]) =>
        got.forEach((value, i) => {
          expect(Math.abs(value - exact[i]!)).toBeLessThan(1e-4);
        });
      const pairs = [x.slice(0, 2), x.slice(2)];

      // VE: dx = -1/2 d(sigma^2) c, and volumes stay.
      const shift = -0.001 * (100 ** 2 - (0.01 * 10 ** (4 * EPS)) ** 2);
      const moved = await bits({ score: constant }, x, 2, { sde: sdes[0]!, probe });
      near(
        moved.logp,
        pairs.map((pair) => pair.map((v) => v + shift).reduce(densityOf(100), 0)),
      );
      expect([...moved.deltaLogp]).toEqual([0, 0]);

      // VP: x shrinks by alpha, and with it the volume, by alpha in each of two dimensions.
      const logAlpha = -(0.1 * (1 - EPS) + (19.9 * (1 - EPS ** 2)) / 2) / 2;
      const shrunk = await bits({ score: nothing }, x, 2, { sde: sdes[1]!, probe });
      near(
        shrunk.logp,
        pairs.map((pair) => pair.map((v) => v * Math.exp(logAlpha)).reduce(densityOf(1), 0) + 2 * logAlpha),
      );
    },
  );

  test("images: any shape, any score written in ops, its weights without gradients", async () => {
    using weight = engine.variable([0.3]);
    using x = randn(engine, [2, 1, 3, 3], { seed: 1, purpose: "user" });
    const score = asScore((y) => mul(silu(y), mul(weight, -1)));
    const { bitsPerDim, latent } = await likelihood(score, x, { sde, probe: "exact", solver: heun(10) });
    expect(bitsPerDim.every(Number.isFinite)).toBe(true);
    expect(latent.shape).toEqual([2, 1, 3, 3]);
    expect(latent.requiresGrad).toBe(false);
    latent.dispose();
  });

  test.each([
    [{ eps: 2 }, "got eps 2, expected a time between 0 and 1"],
    [
      { probe: "hutchinson" as never },
      "got probe hutchinson, expected rademacher, gaussian, exact, or a tensor of x's shape",
    ],
    [{ sampleOffset: -1 }, "got sampleOffset -1, expected a whole number from 0"],
    [{ range: [1, 0] }, "got range [1, 0], expected two numbers, ascending"],
    [
      { probe: "exact", size: 300 },
      "got probe exact for samples of 300 elements, expected at most 256; take rademacher",
    ],
  ] as const)("refuses %o", async (changes, says) => {
    const score = asScore(() => expect.fail("the score was asked for"));
    const { size = 2, ...options } = changes as LikelihoodOptions & { size?: number };
    using x = engine.zeros([2, size]);
    const fault = await likelihood(score, x, { ...options, sde }).catch((e: unknown) => e);
    expect(fault).toBeInstanceOf(UsageError);
    expect((fault as Error).message).toBe(`likelihood: ${says}`);
  });

  test("refuses a probe of another shape", async () => {
    using x = engine.zeros([2, 2]);
    using probe = engine.zeros([2, 3]);
    await expect(
      likelihood(
        asScore(() => expect.fail()),
        x,
        { sde, probe },
      ),
    ).rejects.toThrow("likelihood: got probe [2,3] for x [2,2], expected one shape");
  });
});
