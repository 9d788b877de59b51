import { describe, expect, test } from "vitest";
import { type Sde, subVp, ve, vp } from "../../samplers/sde/index.ts";
import { readCases } from "../reference/case.ts";
import { engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";

const cases = readCases("../shared/reference").filter((c) => c.kind === "sde");
const sdeOf = (name: string, attrs: (typeof cases)[number]["attrs"]): Sde => {
  const steps = attrs.number("N");
  if (name === "vesde")
    return ve({ sigmaMin: attrs.number("sigma_min"), sigmaMax: attrs.number("sigma_max"), steps });
  const betas = { betaMin: attrs.number("beta_min"), betaMax: attrs.number("beta_max"), steps };
  return name === "vpsde" ? vp(betas) : subVp(betas);
};

const float64 = (values: ArrayLike<number>) => ({ shape: [values.length], data: Float64Array.from(values) });

describe("marginals", () => {
  test.each(cases.filter((c) => c.attrs.has("sde")))("of $name: the published ones", async (c) => {
    const sde = sdeOf(c.attrs.string("sde"), c.attrs);
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
    const { discreteSigmas } = sdeOf("vesde", c.attrs) as ReturnType<typeof ve>;
    const { discrete } = sdeOf("vpsde", c.attrs) as ReturnType<typeof vp>;
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

test("one step has the first scale", () => {
  expect(ve({ sigmaMin: 0.01, sigmaMax: 1, steps: 1 }).discreteSigmas).toEqual([expect.closeTo(0.01, 15)]);
});

test("what networks are told of the time: sigma, or 999 t", async () => {
  const t = engine.tensor([0, 0.5, 1]);
  const told = [ve({ sigmaMin: 0.01, sigmaMax: 100 }), vp(), subVp()].map((sde) => sde.condition(t));
  const [sigma, ...labels] = await engine.readAll(told);
  expectNear(sigma!, float64([0.01, 1, 100]), { magnitude: "own" });
  for (const label of labels) expect([...label]).toEqual([0, 499.5, 999]);
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
});
