import { describe, expect, test } from "vitest";
import { mean as average, mul, reshape, square, sum } from "../../engine/ops/index.ts";
import { Init } from "../../models/init.ts";
import { ToyEnergy } from "../../models/toy/index.ts";
import {
  type Energy,
  hmc,
  type MetropolisOptions,
  type MetropolisResult,
  mala,
} from "../../samplers/index.ts";
import { engine } from "../support/engine.ts";
import { gaussianEnergy, type Matrix, mixtureEnergy } from "./closed-form.ts";
import { expectGaussian, expectMeans, type Observable } from "./moments.ts";

const mean = [0.3, -0.2] as const;
const covariance: Matrix = [
  [0.09, 0.04],
  [0.04, 0.03],
];
/** Two parts with a valley between them, which chains cross often enough. */
const parts = [
  { weight: 0.7, mean: [-0.7, 0.3], sigma: 0.4 },
  { weight: 0.3, mean: [0.7, 0.1], sigma: 0.3 },
] as const;
const observables: readonly Observable[] = [
  (x) => Math.tanh(4 * x), // which part
  (x) => x,
  (_, y) => y,
  (x) => x * x,
  (x, y) => x * y,
  (_, y) => y * y,
];

type Sampler = (
  energy: Energy,
  shape: readonly number[],
  options: MetropolisOptions & { size: number },
) => Promise<MetropolisResult>;

/** At step sizes of like effect: a leapfrog step of h is a Langevin step of h^2 / 2. */
const samplers: readonly (readonly [string, Sampler])[] = [
  [
    "mala",
    (energy, shape, { size, ...rest }) => mala(engine, energy, shape, { ...rest, epsilon: size ** 2 / 2 }),
  ],
  [
    "hmc",
    (energy, shape, { size, ...rest }) =>
      hmc(engine, energy, shape, { ...rest, stepSize: size, leapfrogs: 5 }),
  ],
];

async function points({ x }: MetropolisResult): Promise<Float32Array> {
  const values = (await x.data()) as Float32Array;
  x.dispose();
  return values;
}

describe.each(samplers)("%s", (name, sample) => {
  const { live } = engine.memory();

  test("a Gaussian, without the bias of unadjusted steps of this size", async () => {
    using target = gaussianEnergy(engine, mean, covariance);
    const steps = name === "hmc" ? 40 : 120;
    const result = await sample(target, [10_000, 2], { size: Math.sqrt(0.016), steps, seed: 3 });
    expectGaussian(await points(result), { mean, covariance });
    expect(result.acceptance).toBeGreaterThan(0.7);
    expect(result.acceptance).toBeLessThan(0.999);
  });

  test("a mixture: shares of its two parts, means and second moments", async () => {
    using target = mixtureEnergy(engine, parts);
    const steps = name === "hmc" ? 50 : 160;
    const result = await sample(target, [10_000, 2], { size: 0.45, steps, seed: 5 });
    expectMeans(await points(result), parts, observables);
  });

  test("a start in the law stays in it, however bad the steps", async () => {
    using target = gaussianEnergy(
      engine,
      [0, 0],
      [
        [1, 0],
        [0, 1],
      ],
    );
    const size = name === "hmc" ? 1.99 : 1.9; // leapfrogs become unstable at 2
    const result = await sample(target, [10_000, 2], { size, steps: 30, seed: 8 });
    expect(result.acceptance).toBeLessThan(0.85);
    expectGaussian(await points(result), {
      mean: [0, 0],
      covariance: [
        [1, 0],
        [0, 1],
      ],
    });
  });

  test("rates are those of the chains: one that cannot move says so, and stays finite", async () => {
    const steep: Energy = {
      energy: (x) => sum(mul(square(square(x)), 1e30), { axis: 1 }),
      score: (x) => mul(mul(square(x), x), -4e30),
    };
    const start = engine.tensor([0, 0, 3, 3], [2, 2]);
    const result = await sample(steep, [2, 2], { size: 0.5, steps: 10, seed: 1, start });
    expect(result.x).toBe(start);
    expect([...(await points(result))]).toEqual([0, 0, 3, 3]);
    expect([...result.acceptances]).toEqual([0, 0]);
    expect(result.acceptance).toBe(0);
  });

  test("rates are shares of the steps", async () => {
    using target = gaussianEnergy(engine, mean, covariance);
    const result = await sample(target, [50, 2], { size: 0.2, steps: 20, seed: 1 });
    result.x.dispose();
    for (const rate of result.acceptances) expect(rate * 20).toBeCloseTo(Math.round(rate * 20), 5);
    expect(result.acceptance).toBeCloseTo(result.acceptances.reduce((a, b) => a + b) / 50, 6);
    expect(new Set(result.acceptances).size).toBeGreaterThan(3);
  });

  test("an energy network, and its memory is given back", async () => {
    const network = new ToyEnergy(new Init(engine, 2), { hidden: 16 });
    const energy: Energy = { energy: (x) => network.energy(x), score: (x) => network.run(x) };
    const before = engine.memory().live;
    const result = await sample(energy, [64, 2], { size: 0.5, steps: 12, seed: 1 });
    const ends = await points(result);
    expect(engine.memory().live).toBe(before);
    expect(ends.every(Number.isFinite)).toBe(true);
    expect(result.acceptance).toBeGreaterThan(0.5);
    network.dispose();
  });

  test("messages", async () => {
    using target = gaussianEnergy(engine, mean, covariance);
    const refused = (options: object, energy: Energy = target) =>
      sample(energy, [2, 2], { size: 0.1, steps: 3, seed: 1, ...options }).catch((e: Error) => e.message);
    expect(await refused({ steps: 0 })).toBe(`${name}: got steps 0, expected a whole number from 1`);
    expect(await refused({ sampleOffset: 0.5 })).toBe(
      `${name}: got sampleOffset 0.5, expected a whole number from 0`,
    );
    expect(await refused({ size: 0 })).toBe(
      `${name}: got ${name === "hmc" ? "stepSize" : "epsilon"} 0, expected a positive number`,
    );
    const scalar: Energy = { ...target, energy: (x) => reshape(average(square(x)), [1]) };
    expect(await refused({}, scalar)).toBe(
      `${name}: got energies [1] for samples [2,2], expected one for each, [2]`,
    );
  });

  test("leaves nothing behind", () => expect(engine.memory().live).toBe(live));
});

test("hmc with one leapfrog step is mala", async () => {
  using target = mixtureEnergy(engine, parts);
  const shared = { steps: 15, seed: 4 };
  const a = await mala(engine, target, [100, 2], { ...shared, epsilon: 0.08 });
  const b = await hmc(engine, target, [100, 2], { ...shared, stepSize: 0.4, leapfrogs: 1 });
  expect([...b.acceptances]).toEqual([...a.acceptances]);
  const [left, right] = [await points(a), await points(b)];
  for (const [i, value] of left.entries()) expect(Math.abs(right[i]! - value)).toBeLessThan(1e-4);
});

test("hmc asks for whole leapfrog steps", async () => {
  using target = gaussianEnergy(engine, mean, covariance);
  const settings = { stepSize: 0.1, leapfrogs: 1.5, steps: 1, seed: 1 };
  await expect(hmc(engine, target, [2, 2], settings)).rejects.toThrow(
    "hmc: got leapfrogs 1.5, expected a whole number from 1",
  );
});
