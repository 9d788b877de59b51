import { describe, expect, test } from "vitest";
import { asScore, type DdimOptions, ddim, ddpmChain, type Sde, subVp, ve, vp } from "../../samplers/index.ts";
import { engine } from "../support/engine.ts";
import { diffusedGaussian, diffusedMixture, type Gaussian } from "./diffused.ts";
import { expectGaussian, expectMeans } from "./moments.ts";

const target: Gaussian = {
  mean: [0.3, -0.2],
  variances: [0.25, 0.04],
  axes: [
    [1, 0],
    [0, 1],
  ],
};
const { mean, variances } = target;
const sdes: readonly Sde[] = [vp(), subVp(), ve({ sigmaMin: 0.01, sigmaMax: 10 })];
/** The closed forms are told the time itself. */
const condition = (t: number) => t;

async function points(sde: Sde, n: number, options: Partial<DdimOptions> = {}): Promise<Float32Array> {
  using closed = diffusedGaussian(engine, sde, target);
  const x = await ddim(engine, closed.score, [n, 2], { sde, steps: 10, seed: 3, condition, ...options });
  const values = (await x.data()) as Float32Array;
  x.dispose();
  return values;
}

/** Equation 12 of the paper in terms of x_0 and the noise, along an axis of this variance: x' - alpha' mean as factor and noise. */
function recursion(sde: Sde, variance: number, steps: number, eta: number) {
  const times = Array.from(
    { length: steps },
    (_, i) => sde.T + ((sde.samplingEps - sde.T) * i) / (steps - 1),
  );
  const path = [...times.map((t) => sde.marginalAt(t)), { alpha: 1, std: 0 }];
  let [factor, added] = [1, 0];
  for (let k = 0; k < steps; k++) {
    const [a, b] = [path[k]!, path[k + 1]!];
    // Of x - alpha mean: what the score takes for noise, and for x_0 - mean.
    const eps = a.std / (a.alpha ** 2 * variance + a.std ** 2);
    const clean = (1 - a.std * eps) / a.alpha;
    const s = (eta * b.std * Math.sqrt(a.std ** 2 - ((a.alpha / b.alpha) * b.std) ** 2)) / a.std;
    const keep = b.alpha * clean + Math.sqrt(b.std ** 2 - s ** 2) * eps;
    [factor, added] = [factor * keep, added * keep ** 2 + s ** 2];
  }
  return { factor, added, first: path[0]! };
}

describe.each(sdes.map((sde) => [sde.name, sde] as const))("%s", (_, sde) => {
  test("eta 0: each point goes where the steps lead, to rounding", async () => {
    const scale = sde.priorStd;
    using start = engine.tensor(
      [1, 0.3, -0.7, 1.5].map((v) => v * scale),
      [2, 2],
    );
    const before = [...(await start.data())];
    const ends = await points(sde, 2, { start });
    for (const [i, value] of ends.entries()) {
      const { factor, first } = recursion(sde, variances[i % 2]!, 10, 0);
      const expected = mean[i % 2]! + factor * (before[i]! - first.alpha * mean[i % 2]!);
      expect(Math.abs(value - expected)).toBeLessThan(2e-5);
    }
  });

  test("eta 0 is the probability flow, to first order: twice the steps, half of the error", async () => {
    using closed = diffusedGaussian(engine, sde, target);
    const from = [1, 0.3, -0.7, 1.5].map((v) => v * sde.priorStd);
    const exact = closed.flow(from, sde.T, 1e-9);
    const error = async (steps: number) => {
      using start = engine.tensor(from, [2, 2]);
      const ends = await points(sde, 2, { start, steps });
      return Math.max(...exact.map((value, i) => Math.abs(ends[i]! - value)));
    };
    const ratio = (await error(40)) / (await error(80));
    expect(ratio).toBeGreaterThan(1.7);
    expect(ratio).toBeLessThan(2.4);
  });

  test.each([0, 0.5, 1])("eta %d: mean and covariance are those of the recursion", async (eta) => {
    const moved = variances.map((v) => recursion(sde, v, 10, eta));
    const [vx, vy] = moved.map(({ factor, added }) => (factor * sde.priorStd) ** 2 + added);
    expectGaussian(await points(sde, 10_000, { eta }), {
      mean: moved.map(({ factor, first }, i) => mean[i]! * (1 - factor * first.alpha)) as [number, number],
      covariance: [
        [vx!, 0],
        [0, vy!],
      ],
    });
  });
});

test("a mixture: shares of its parts, and means", async () => {
  const parts = [
    { weight: 0.7, mean: [-1, 0.3], sigma: 0.25 },
    { weight: 0.3, mean: [1.2, -0.4], sigma: 0.2 },
  ] as const;
  const sde = vp();
  using closed = diffusedMixture(engine, sde, parts);
  const x = await ddim(engine, closed.score, [10_000, 2], { sde, steps: 200, eta: 0.5, seed: 5, condition });
  expectMeans((await x.data()) as Float32Array, parts, [(x) => Math.tanh(4 * x), (x) => x, (_, y) => y]);
  x.dispose();
});

test("on DDPM's chain: its marginals, at its labels", () => {
  const sde = vp({ steps: 100 });
  const chain = ddpmChain(sde);
  const { sqrtAlphasCumprod: alphas, sqrtOneMinusAlphasCumprod: stds } = sde.discrete;
  expect(chain.marginalAt(1)).toEqual({ alpha: alphas[99], std: stds[99] });
  expect(chain.marginalAt(1e-3)).toEqual({ alpha: alphas[0], std: stds[0] });
  expect(chain.conditionAt(1)).toBe(99);
  expect(chain.priorStd).toBe(sde.priorStd);
});

test("the score is told condition(t), of the SDE unless told otherwise", async () => {
  const score = asScore((x, told) => {
    expect([told.dtype, told.shape]).toEqual(["f32", [2]]);
    return x;
  });
  const times: number[] = [];
  const conditionAt = (t: number) => {
    times.push(t);
    return t;
  };
  const sde = { ...vp(), conditionAt };
  (await ddim(engine, score, [2, 2], { sde, steps: 3, seed: 1 })).dispose();
  expect(times).toEqual([1, expect.closeTo(0.5005, 12), expect.closeTo(1e-3, 12)]);
});

test("messages", async () => {
  const score = asScore(() => expect.fail("the score was asked for"));
  const refusal = (options: Partial<DdimOptions>) =>
    ddim(engine, score, [2, 2], { sde: vp(), steps: 3, seed: 1, ...options }).catch(
      (e: Error) => `${e.name}: ${e.message}`,
    );
  expect(await refusal({ steps: 0 })).toMatchInlineSnapshot(
    `"UsageError: ddim: got steps 0, expected a whole number from 1"`,
  );
  expect(await refusal({ eta: 1.5 })).toMatchInlineSnapshot(
    `"UsageError: ddim: got eta 1.5, expected a number from 0 to 1"`,
  );
  expect(await refusal({ eta: Number.NaN })).toMatchInlineSnapshot(
    `"UsageError: ddim: got eta NaN, expected a number from 0 to 1"`,
  );
  expect(await refusal({ eps: 0 })).toMatchInlineSnapshot(
    `"UsageError: ddim: got eps 0, expected a time between 0 and 1"`,
  );
  expect(await refusal({ sampleOffset: -1 })).toMatchInlineSnapshot(
    `"UsageError: ddim: got sampleOffset -1, expected a whole number from 0"`,
  );
  const nothingLeft = { sde: ddpmChain(vp({ betaMax: 20, steps: 20 })) };
  expect(nothingLeft.sde.marginalAt(1).alpha).toBe(0);
  expect(await refusal(nothingLeft)).toMatchInlineSnapshot(
    `"UsageError: ddim: got an SDE with alpha 0 at time 1, expected some of the image left, for it is divided by alpha; draw by another method, such as pc, or train on an SDE with a lower betaMax"`,
  );
  expect(await refusal({ sde: ddpmChain(vp({ betaMax: 999, steps: 1000 })) })).toContain(
    " with alpha 0 at time 1, ",
  );
  expect(await refusal({ sde: vp({ betaMax: 1000 }), steps: 1 })).toMatchInlineSnapshot(
    `"UsageError: ddim: got an SDE with alpha 2.603287674306434e-109 at time 1, expected some of the image left, for it is divided by alpha; draw by another method, such as pc, or train on an SDE with a lower betaMax"`,
  );
});
