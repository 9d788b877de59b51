/**
 * What replaces the known part leaves the rest alone where it does not depend on it: of a mixture in the first
 * coordinate, independent of the second, which is known, every chain's first coordinate is that of the same sampler
 * without anything known, whose law chain-law and pc-law hold against the mixture.
 */
import { expect, test } from "vitest";
import { exactScore } from "../../bench/figures/mixture-score.ts";
import { mul, narrow } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import {
  annealedInpainting,
  annealedLangevin,
  inpaint,
  type Operator,
  predictorCorrector,
  solveInverse,
  ve,
  vp,
} from "../../samplers/index.ts";
import { engine } from "../support/engine.ts";
import { zScore } from "../support/near.ts";
import { diffusedMixture } from "./diffused.ts";

const N = 10_000;
const shape = [N, 2];
const parts = [
  { weight: 0.7, mean: [-0.5, 0.3], sigma: 0.1 },
  { weight: 0.3, mean: [0.7, 0.3], sigma: 0.1 },
];
const known = engine.untrack(engine.tensor([7, 0.4]));
const mask = engine.untrack(engine.tensor([0, 1]));

async function columns(x: Tensor): Promise<[free: Float32Array, held: Float32Array]> {
  const values = await x.data();
  x.dispose();
  const column = (k: number) => Float32Array.from({ length: N }, (_, i) => values[2 * i + k]!);
  return [column(0), column(1)];
}

/** Means over the chains differ by chance alone where they differ at all: a chain at the ridge may round to the other side. */
function expectSameChains(free: Float32Array, alone: Float32Array): void {
  const apart = free.filter((v, i) => Math.abs(v - alone[i]!) > 1e-3).length;
  expect(apart, "chains that went elsewhere").toBeLessThanOrEqual(N / 1000);
}

/** The weight of the right mode, which the start decides together with the steps: within chance of its share alone. */
const right = (values: Float32Array): number => values.filter((v) => v > 0.1).length / N;

const sigmas = [1, 0.7, 0.5, 0.35, 0.25, 0.18, 0.12];
test.each(["level", "step"] as const)("annealed inpainting, redrawn each %s", async (redraw) => {
  using target = exactScore(engine, parts, sigmas);
  const settings = { sigmas, stepsPerLevel: 20, epsilon: 0.002, seed: 5 };
  const options = { ...settings, known, mask, redraw };
  const [free, held] = await columns(await annealedInpainting(engine, target.score, shape, options));
  const [alone] = await columns(await annealedLangevin(engine, target.score, shape, settings));
  expectSameChains(free, alone);
  expect(held.every((v) => v === Math.fround(0.4))).toBe(true);
  expect(right(alone)).toBeGreaterThan(0.2);
});

const second: Operator = {
  name: "second",
  apply: (x) => narrow(x, 1, 1, 1),
  answer: (residual) => mul(residual, engine.tensor([0, 1], [1, 2])),
};

test.each([
  ["ve", ve({ sigmaMin: 0.02, sigmaMax: 3, steps: 80 })],
  ["vp", vp({ steps: 80 })],
] as const)("inpainting and inverse problems on the %s SDE: the mixture's weights", async (_, sde) => {
  const target = diffusedMixture(engine, sde, parts);
  const told = { condition: (t: number) => t };
  const settings = { sde, ...told, corrector: "ald", snr: 0.2, seed: 6 } as const;
  const { x: plain } = await predictorCorrector(engine, target.score, shape, settings);
  const [alone] = await columns(plain);
  const { x } = await inpaint(engine, target.score, shape, { ...settings, known, mask });
  const [free, held] = await columns(x);
  expectSameChains(free, alone);
  expect(held.every((v) => Math.abs(v - 0.4) < 1e-3)).toBe(true);
  const observed = engine.tensor(new Float32Array(N).fill(0.4), [N, 1]);
  const solved = await solveInverse(engine, target.score, shape, { ...settings, observed, operator: second });
  observed.dispose();
  const [answer, seen] = await columns(solved.x);
  expectSameChains(answer, alone);
  expect(seen.every((v) => Math.abs(v - 0.4) < 1e-3)).toBe(true);
  const chance = Math.sqrt(0.3 * 0.7);
  for (const values of [free, answer])
    expect(Math.abs(zScore(right(values), 0.3, chance, N))).toBeLessThan(4);
  target[Symbol.dispose]?.();
});
