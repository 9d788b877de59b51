import { describe, expect, test } from "vitest";
import { asScore } from "../../samplers/score.ts";
import {
  eulerStep,
  priorLogDensity,
  reverse,
  reverseSde,
  type Sde,
  samplePrior,
  sdes,
  stepIndex,
  subVp,
  timeGrid,
  ve,
  vp,
} from "../../samplers/sde/index.ts";
import { readCases } from "../reference/case.ts";
import { sdeOf } from "../reference/sde.ts";
import { engine } from "../support/engine.ts";
import { expectNear, zScore } from "../support/near.ts";

const cases = readCases("../shared/reference").filter((c) => c.kind === "sde");
const float64 = (values: ArrayLike<number>) => ({ shape: [values.length], data: Float64Array.from(values) });

describe("marginals", () => {
  test.each(cases.filter((c) => c.attrs.has("sde")))("of $name: the published ones", async (c) => {
    const sde: Sde = sdeOf(c.attrs);
    const times = c.tensors.get("in.t")!.data as Float32Array<ArrayBuffer>;
    const [x, mean, std] = ["in.x", "out.marginal_mean", "out.marginal_std"].map(
      (name) => c.tensors.get(name)!.data,
    );
    const size = x!.length / times.length;
    const means = (alphas: ArrayLike<number>) => Array.from(x!, (v, i) => v * alphas[Math.floor(i / size)]!);

    const exact = [...times].map((t) => sde.marginalAt(t));
    expectNear(
      exact.map((m) => m.std),
      float64(std!),
      { magnitude: "own" },
    );
    expectNear(means(exact.map((m) => m.alpha)), float64(mean!));

    const t = engine.tensor(times);
    const onDevice = sde.marginal(t);
    expectNear(await onDevice.std.data(), float64(exact.map((m) => m.std)), { magnitude: "own" });
    expectNear(await onDevice.alpha.data(), float64(exact.map((m) => m.alpha)), { magnitude: "own" });
    for (const tensor of [t, ...Object.values(onDevice)]) tensor.dispose();
  });

  test("keep their precision where there is hardly any noise", async () => {
    const times = [1e-5, 2e-5, 1e-4, 1e-3].map(Math.fround);
    const t = engine.tensor(times);
    for (const sde of [vp(), subVp()]) {
      // int_0^t beta = b and 1 - exp(-b) = b (1 - b/2 + b^2/6 - ...)
      const variances = times.map((time) => {
        const b = 0.1 * time + (19.9 * time ** 2) / 2;
        return b * (1 - b / 2 + b ** 2 / 6 - b ** 3 / 24);
      });
      const std = float64(variances.map((v) => (sde.name === "vp" ? Math.sqrt(v) : v)));
      expectNear(
        times.map((time) => sde.marginalAt(time).std),
        std,
        { magnitude: "own" },
      );
      const tensors = engine.scope(() => sde.marginal(t));
      expectNear(await tensors.std.data(), std, { magnitude: "own" });
      for (const tensor of Object.values(tensors)) tensor.dispose();
    }
    t.dispose();
  });

  test("VP keeps the variance of data of variance 1, sub-VP has the noise of VP squared", () => {
    for (const t of [0, 1e-5, 0.1, 0.5, 1]) {
      const [full, less] = [vp().marginalAt(t), subVp().marginalAt(t)];
      expect(full.alpha ** 2 + full.std ** 2).toBeCloseTo(1, 14);
      expect(less).toEqual({ alpha: full.alpha, std: expect.closeTo(full.std ** 2, 14) });
    }
  });
});

describe("tables", () => {
  test.each(cases.filter((c) => c.name.startsWith("tables_")))("of $name: the published ones", (c) => {
    const { discreteSigmas } = sdeOf(c.attrs, "vesde");
    const { discrete } = sdeOf(c.attrs, "vpsde");
    const tables = {
      ve_discrete_sigmas: discreteSigmas,
      vp_discrete_betas: discrete.betas,
      vp_alphas: discrete.alphas,
      vp_alphas_cumprod: discrete.alphasCumprod,
      vp_sqrt_alphas_cumprod: discrete.sqrtAlphasCumprod,
      vp_sqrt_1m_alphas_cumprod: discrete.sqrtOneMinusAlphasCumprod,
    };
    for (const [name, table] of Object.entries(tables))
      expectNear(table, float64(c.tensors.get(`out.${name}`)!.data), { magnitude: "own" }, name);
  });

  test("the chain comes to the SDE as its steps become small", () => {
    const error = (steps: number) => {
      const sde = vp({ steps });
      const at = steps / 2 - 1;
      return Math.abs(sde.discrete.sqrtAlphasCumprod[at]! / sde.marginalAt((at + 1) / steps).alpha - 1);
    };
    expect(error(1000)).toBeLessThan(0.03);
    expect(error(1000) / error(2000)).toBeCloseTo(2, 1);
  });
});

const each = (steps: number): [string, Sde][] => [
  ["ve", ve({ sigmaMin: 0.01, sigmaMax: 50, steps })],
  ["vp", vp({ steps })],
  ["subvp", subVp({ steps })],
];

test("the registry makes each SDE under its own name", () => {
  expect(
    Object.entries(sdes).map(([name, make]) => [name, make({ sigmaMin: 0.01, sigmaMax: 50 }).name]),
  ).toEqual(Object.keys(sdes).map((name) => [name, name]));
});

describe("coefficients", () => {
  test.each(each(1000))(
    "of %s give the marginals: alpha' = f alpha, (std^2)' = 2 f std^2 + g^2",
    (_, sde) => {
      for (const t of [0.01, 0.3, 0.7, 0.999]) {
        const slope = (f: (t: number) => number) => (f(t + 1e-5) - f(t - 1e-5)) / 2e-5;
        const { alpha, std } = sde.marginalAt(t);
        const { drift, diffusion } = sde.coefficientsAt(t);
        expect(slope((u) => sde.marginalAt(u).alpha) / alpha).toBeCloseTo(drift, 6);
        const growth = 2 * drift * std ** 2 + diffusion ** 2;
        expect(slope((u) => sde.marginalAt(u).std ** 2) / growth).toBeCloseTo(1, 6);
      }
    },
  );

  test.each(each(1000))("of %s are the same on the device, in the smallest times too", async (_, sde) => {
    const times = [1e-5, 1e-3, 0.02, 0.5, 1].map(Math.fround);
    const t = engine.tensor(times);
    const tensors = engine.scope(() => sde.coefficients(t));
    const exact = times.map((time) => sde.coefficientsAt(time));
    for (const name of ["drift", "diffusion"] as const)
      expectNear(await tensors[name].data(), float64(exact.map((e) => e[name])), {
        magnitude: "own",
        terms: 2,
      });
    for (const tensor of [t, ...Object.values(tensors)]) tensor.dispose();
  });

  test.each(["ve", "vp", "subvp"])("of %s are what steps come to as they become small", (name) => {
    const error = (steps: number) => {
      const sde = new Map(each(steps)).get(name)!;
      const t = (steps / 2 + 0.5) / (steps - 1); // inside a step
      const [step, euler] = [sde.discretize(t), eulerStep(sde, t)];
      return Math.abs(step.diffusion / euler.diffusion - 1) + Math.abs(step.drift - euler.drift) * steps;
    };
    expect(error(4000)).toBeLessThan(0.01);
    expect(error(4000)).toBeLessThanOrEqual(error(1000) / 2);
  });
});

describe("reverse", () => {
  test.each(each(1000))(
    "of %s on the device: the numbers' own, at one time for each sample",
    async (_, sde) => {
      const times = [0.2, 0.9].map(Math.fround);
      for (const probabilityFlow of [false, true]) {
        const [drift, diffusion] = await engine.readAll(
          engine.scope(() => {
            const score = asScore((x) => engine.full(x.shape, 3));
            const x = engine.tensor([1, 2, -1, 4], [2, 2]);
            const back = reverseSde(sde, score, { probabilityFlow })(x, engine.tensor(times));
            return [back.drift.alias(), back.diffusion.alias()];
          }),
        );
        const exact = times.map((t) => reverse(sde.coefficientsAt(t), { probabilityFlow }));
        const drifts = [1, 2, -1, 4].map((v, i) => exact[i >> 1]!.keep * v + exact[i >> 1]!.pull * 3);
        expectNear(drift!, float64(drifts), { magnitude: "own", terms: 4 });
        expectNear(diffusion!, float64(exact.map((e) => e.noise)), { magnitude: "own", terms: 2 });
        expect(exact[0]!.noise > 0).toBe(!probabilityFlow);
      }
    },
  );
});

describe("the prior", () => {
  test.each(each(1000))("of %s is what samples and densities are of", async (_, sde) => {
    const [n, d] = [500, 20];
    const x = engine.scope(() => samplePrior(engine, sde, [n, d], { seed: 5, purpose: "prior" }));
    const density = engine.scope(() => priorLogDensity(sde, x));
    const [values, logs] = await engine.readAll([x, density]);
    for (const t of [x, density]) t.dispose();
    const squares = [...values!].reduce((total, v) => total + (v / sde.priorStd) ** 2, 0) / (n * d);
    expect(Math.abs(zScore(squares, 1, Math.SQRT2, n * d))).toBeLessThan(4);
    const exact = Array.from({ length: n }, (_, i) => {
      const row = [...values!.subarray(i * d, (i + 1) * d)];
      const logOf = (v: number) =>
        -0.5 * ((v / sde.priorStd) ** 2 + Math.log(2 * Math.PI * sde.priorStd ** 2));
      return row.reduce((total, v) => total + logOf(v), 0);
    });
    expectNear(logs!, float64(exact));
    const { alpha, std } = sde.marginalAt(sde.T);
    expect(alpha / std).toBeLessThan(0.05); // hardly anything is left of the data
    expect(std / sde.priorStd).toBeCloseTo(1, 3);
  });
});

describe("times", () => {
  test("run from T down to eps, both among them, and fall into the steps of the chain", () => {
    const sde = vp({ steps: 40 });
    const times = timeGrid(sde, 1e-3);
    expect([times.length, times[0], times.at(-1)]).toEqual([40, 1, expect.closeTo(1e-3, 15)]);
    expect(times.map((t) => stepIndex(sde, t))).toEqual(Array.from({ length: 40 }, (_, i) => 39 - i));
  });

  test("as labels: the networks' tables of VE descend, those of VP ascend", () => {
    const labels = { ve: ve({ sigmaMin: 0.01, sigmaMax: 50, steps: 100 }), vp: vp({ steps: 100 }) };
    expect([1, 0.5, 0].map((t) => labels.ve.labelAt(t))).toEqual([0, 50, 99]);
    expect([1, 0.5, 0].map((t) => labels.vp.labelAt(t))).toEqual([99, 49.5, 0]);
  });
});

test("one step begins where time ends: it has the last scale, as the last of two", () => {
  const sigmas = { sigmaMin: 0.01, sigmaMax: 3 };
  expect(ve({ ...sigmas, steps: 1 }).discreteSigmas).toEqual([expect.closeTo(3, 14)]);
  expect(ve({ ...sigmas, steps: 2 }).discreteSigmas).toEqual([
    expect.closeTo(0.01, 15),
    expect.closeTo(3, 14),
  ]);
  expect(vp({ betaMax: 0.8, steps: 1 }).discrete.betas).toEqual([0.8]);
});

test("sub-VP steps may be so long that they take away more than all of x, as in the published code", () => {
  expect(subVp({ steps: 10 }).discretize(1).drift).toBe(-1);
  expect(subVp({ steps: 4 }).discretize(1).drift).toBe(-2.5);
});

test("what networks are told of the time: sigma, or 999 t", async () => {
  const t = engine.tensor([0, 0.5, 1]);
  const sdes = [ve({ sigmaMin: 0.01, sigmaMax: 100 }), vp(), subVp()];
  const told = sdes.map((sde) => sde.condition(t));
  const [sigma, ...labels] = await engine.readAll(told);
  expectNear(sigma!, float64([0.01, 1, 100]), { magnitude: "own" });
  for (const label of labels) expect([...label]).toEqual([0, 499.5, 999]);
  for (const sde of sdes.slice(1)) expect([0, 0.5, 1].map(sde.conditionAt)).toEqual([0, 499.5, 999]);
  expect(sdes[0]!.conditionAt(0.5)).toBeCloseTo(1, 12);
  for (const tensor of [t, ...told]) tensor.dispose();
});

test("messages", () => {
  expect(() => ve({ sigmaMin: 1, sigmaMax: 0.01 })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: ve: got sigmaMin 1, sigmaMax 0.01, expected 0 < sigmaMin < sigmaMax]`,
  );
  expect(() => ve({ sigmaMin: 0.01, sigmaMax: 1, steps: 0 })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: ve: got steps 0, expected a whole number from 1]`,
  );
  expect(() => subVp({ betaMin: 3, betaMax: 1 })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: subVp: got betaMin 3, betaMax 1, expected 0 <= betaMin < betaMax]`,
  );
  expect(() => vp({ steps: 17 })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: vp: got betaMax 20 in 17 steps, a beta of 20/17, expected at most 1; take at least 20 steps]`,
  );
  expect(vp({ steps: 20 }).discrete.betas.at(-1)).toBe(1);
  expect(() => timeGrid(vp(), 0)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: vp: got eps 0, expected a time between 0 and 1]`,
  );
});
