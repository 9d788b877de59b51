/** One step and two: samples of one known image, for which every score has a closed form. */
import { describe, expect, test } from "vitest";
import { div, embedding, mul, perSample, reshape, square, sub, sum } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import {
  annealedInterpolation,
  annealedLangevin,
  asScore,
  consistentAnnealing,
  ddim,
  edm,
  euler,
  heun,
  hmc,
  langevin,
  mala,
  type PredictorCorrectorOptions,
  predictorCorrector,
  type Sde,
  sampleFlow,
  subVp,
  ve,
  vp,
} from "../../samplers/index.ts";
import { engine } from "../support/engine.ts";

const IMAGE = 0.4;
const SHAPE = [3, 1, 2, 2];
const seed = 5;

/** grad log N(alpha IMAGE, std^2 I). */
const towards = (x: Tensor, alpha: Tensor, std: Tensor) =>
  div(sub(mul(perSample(alpha, x), IMAGE), x), square(perSample(std, x)));
const scoreOn = (sde: Sde) =>
  asScore((x, t) => {
    const { alpha, std } = sde.marginal(t);
    return towards(x, alpha, std);
  });
const condition = (t: number) => t;
const bySigma = asScore((x, sigma) => towards(x, x.engine.ones(sigma.shape), sigma));
function byLabel(sigmas: readonly number[]) {
  const table = engine.untrack(engine.tensor([...sigmas], [sigmas.length, 1]));
  return asScore((x, labels) =>
    towards(x, x.engine.ones(labels.shape), reshape(embedding(table, labels), labels.shape)),
  );
}

async function valuesOf(x: Tensor): Promise<number[]> {
  const values = [...((await x.data()) as Float32Array)];
  x.dispose();
  return values;
}

const farthest = (values: readonly number[]) => Math.max(...values.map((v) => Math.abs(v - IMAGE)));

const sdes = [
  ve({ sigmaMin: 0.01, sigmaMax: 20, steps: 1 }),
  ve({ sigmaMin: 0.01, sigmaMax: 20, steps: 2 }),
  vp({ betaMin: 0.1, betaMax: 0.9, steps: 1 }),
  vp({ betaMin: 0.1, betaMax: 1.6, steps: 2 }),
  subVp({ betaMin: 0.1, betaMax: 0.9, steps: 1 }),
  subVp({ betaMin: 0.1, betaMax: 2, steps: 2 }),
].map((sde) => [sde.name, sde.steps, sde] as const);

describe.each(sdes)("%s in %i", (name, steps, sde) => {
  const score = scoreOn(sde);
  const draw = async (options: Partial<PredictorCorrectorOptions>) =>
    valuesOf((await predictorCorrector(engine, score, SHAPE, { sde, seed, condition, ...options })).x);

  test.each(["reverse_diffusion", "euler_maruyama", "ancestral_sampling", "none"] as const)(
    "%s with each corrector, also at batch 1: finite",
    async (predictor) => {
      for (const corrector of ["langevin", "ald", "none"] as const) {
        if (predictor === corrector || (predictor === "ancestral_sampling" && name === "subvp")) continue;
        const all = await draw({ predictor, corrector });
        expect(all.every(Number.isFinite), corrector).toBe(true);
        const options = { sde, seed, condition, predictor, corrector, snrOver: "sample" } as const;
        const { x } = await predictorCorrector(engine, score, [1, 1, 2, 2], options);
        expect((await valuesOf(x)).every(Number.isFinite)).toBe(true);
      }
    },
  );

  test("ddim, heun and euler come to the image, or next to it", async () => {
    for (const eta of [0, 1]) {
      const x = await ddim(engine, score, SHAPE, { sde, seed, condition, steps, eta });
      expect(farthest(await valuesOf(x)), `eta ${eta}`).toBeLessThan(1e-4);
    }
    for (const solver of [heun(steps), euler(steps)]) {
      const { x } = await sampleFlow(engine, score, SHAPE, { sde, seed, condition, solver });
      expect((await valuesOf(x)).every(Number.isFinite)).toBe(true);
    }
  });
});

describe("the VE SDE", () => {
  const onVe = (steps: number) => ve({ sigmaMin: 0.01, sigmaMax: 20, steps });

  test.each(["reverse_diffusion", "ancestral_sampling"] as const)(
    "%s takes all noise away that the prior has, in one step and in two",
    async (predictor) => {
      // The second of two steps undoes sigma_1, of a time 1e-5 later: of x, some 20 large, so little is left.
      const left = 1 - (20 / 0.01) ** -2e-5;
      for (const [sde, most] of [
        [onVe(1), 1e-4],
        [onVe(2), 5 * 20 * left],
      ] as const) {
        const options = { sde, seed, condition, predictor, corrector: "none" } as const;
        const { x } = await predictorCorrector(engine, scoreOn(sde), SHAPE, options);
        expect(farthest(await valuesOf(x))).toBeLessThan(most);
      }
    },
  );

  test("euler_maruyama goes g(T)^2 along the score in one step", async () => {
    const sde = onVe(1);
    const common = { sde, seed, condition, corrector: "none" } as const;
    const start = engine.tensor([0.5, -7, 20, 0], [1, 1, 2, 2]);
    const { x } = await predictorCorrector(engine, scoreOn(sde), [1, 1, 2, 2], {
      ...common,
      predictor: "euler_maruyama",
      start,
    });
    const growth = 2 * Math.log(20 / 0.01);
    const exact = [0.5, -7, 20, 0].map((v) => v + growth * (IMAGE - v));
    (await valuesOf(x)).forEach((v, i) => {
      expect(Math.abs(v / exact[i]! - 1)).toBeLessThan(1e-5);
    });
  });

  test.each([1, 2])("edm in %i", async (steps) => {
    const options = { seed, steps, sigmaMin: 0.01, sigmaMax: 20 };
    expect(farthest(await valuesOf(await edm(engine, bySigma, SHAPE, options)))).toBeLessThan(1e-4);
    const churned = await edm(engine, bySigma, SHAPE, { ...options, churn: { amount: 40 } });
    expect(farthest(await valuesOf(churned))).toBeLessThan(1e-4);
  });
});

describe("ladders", () => {
  test.each([[[0.5]], [[3, 0.5]]])("of %j, one step at each, end denoised", async (sigmas) => {
    const score = byLabel(sigmas);
    const options = { sigmas, seed, epsilon: 0.01, stepsPerLevel: 1 };
    const drawn = {
      annealed: await annealedLangevin(engine, score, SHAPE, options),
      interpolated: await annealedInterpolation(engine, score, SHAPE, { ...options, interpolations: 2 }),
      consistent: await consistentAnnealing(engine, score, SHAPE, {
        sigmas,
        seed,
        epsilon: sigmas.at(-1)! ** 2,
      }),
    };
    for (const [name, x] of Object.entries(drawn))
      expect(farthest(await valuesOf(x)), name).toBeLessThan(1e-5);
  });
});

test.each([1, 2])("chains of one law, %i steps: finite, and a flat one accepts all", async (steps) => {
  const score = asScore((x) => sub(IMAGE, x));
  const x = await langevin(engine, score, SHAPE, { seed, epsilon: 0.01, steps });
  expect((await valuesOf(x)).every(Number.isFinite)).toBe(true);
  const flat = {
    energy: (x: Tensor) => sum(mul(x, 0), { axis: [1, 2, 3] }),
    score: (x: Tensor) => mul(x, 0),
  };
  for (const result of [
    await mala(engine, flat, SHAPE, { seed, epsilon: 0.1, steps }),
    await hmc(engine, flat, SHAPE, { seed, stepSize: 0.1, steps, leapfrogs: 1 }),
  ]) {
    expect((await valuesOf(result.x)).every(Number.isFinite)).toBe(true);
    expect([...result.acceptances]).toEqual([1, 1, 1]);
  }
});
