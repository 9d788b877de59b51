/** Nothing known and everything, in one image and in one step. */
import { describe, expect, test } from "vitest";
import { add, scale, sum } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import {
  annealedInpainting,
  annealedLangevin,
  asScore,
  blur,
  classConditional,
  colorize,
  inpaint,
  maskedFourier,
  type Operator,
  predictorCorrector,
  solveInverse,
  superResolution,
  ve,
  vp,
} from "../../samplers/index.ts";
import { engine } from "../support/engine.ts";

const SHAPE = [1, 3, 4, 4];
/** Pulls every element to 0 and to its image's sum, so that what is known tells of the rest. */
const score = asScore((x) => {
  const total = sum(x, { axis: [1, 2, 3], keepDims: true });
  return add(scale(x, -0.2), scale(total, -0.01));
});
const picture = Float32Array.from({ length: 48 }, (_, i) => Math.sin(i));

const sdes = [
  ["one step of the VE SDE", ve({ sigmaMin: 0.01, sigmaMax: 2, steps: 1 })],
  ["one step of the VP SDE", vp({ betaMax: 0.8, steps: 1 })],
  ["two steps of the VP SDE", vp({ betaMax: 1.6, steps: 2 })],
  ["nine of the VE SDE", ve({ sigmaMin: 0.01, sigmaMax: 2, steps: 9 })],
] as const;

async function taken({ x }: { x: Tensor }): Promise<number[]> {
  const values = [...((await x.data()) as Float32Array)];
  x.dispose();
  return values;
}

const near = (values: readonly number[], exact: ArrayLike<number>) => {
  expect(Math.max(...values.map((v, i) => Math.abs(v - exact[i]!)))).toBeLessThan(1e-5);
};

describe.each(sdes)("%s", (_, sde) => {
  const options = { sde, seed: 3, corrector: "ald" } as const;
  const plain = async () => taken(await predictorCorrector(engine, score, SHAPE, options));

  test("inpainting: without known pixels a plain sample, to the bit; with nothing but known ones these", async () => {
    using known = engine.tensor(picture, SHAPE);
    using none = engine.tensor([0], [1]);
    using all = engine.tensor([1], [1]);
    for (const denoise of [true, false] as const) {
      const free = await taken(
        await inpaint(engine, score, SHAPE, { ...options, known, mask: none, denoise }),
      );
      expect(free).toEqual(
        denoise
          ? await plain()
          : await taken(await predictorCorrector(engine, score, SHAPE, { ...options, denoise })),
      );
    }
    expect(await taken(await inpaint(engine, score, SHAPE, { ...options, known, mask: all }))).toEqual([
      ...picture,
    ]);
  });

  test("a transform without a frequency, and with all of them", async () => {
    const solve = async (operator: Operator) => {
      using observed = engine.scope(() => engine.untrack(operator.apply(engine.tensor(picture, SHAPE))));
      return taken(await solveInverse(engine, score, SHAPE, { ...options, observed, operator }));
    };
    const every = (m: number) => Array.from({ length: 4 }, () => [m, m, m, m]);
    near(await solve(maskedFourier(every(0))), await plain());
    near(await solve(maskedFourier(every(1))), picture);
    near(await solve(blur([1])), picture);
    const means = await solve(superResolution(4)); // one block
    for (const c of [0, 1, 2]) {
      const mean = (values: ArrayLike<number>) =>
        Array.from({ length: 16 }, (_, i) => values[16 * c + i]!).reduce((a, b) => a + b, 0) / 16;
      expect(mean(means)).toBeCloseTo(mean(picture), 5);
    }
  });

  test("colours of one gray", async () => {
    using gray = engine.tensor([0.25], [1, 1, 1, 1]);
    const values = await taken(await colorize(engine, score, SHAPE, { ...options, gray }));
    for (let p = 0; p < 16; p++)
      expect((values[p]! + values[16 + p]! + values[32 + p]!) / 3).toBeCloseTo(0.25, 5);
  });

  test("a class that the classifier says nothing of: a plain sample, to the bit", async () => {
    const guided = classConditional(score, (x) => scale(x, 0), { strength: 3 });
    expect(await taken(await predictorCorrector(engine, guided, SHAPE, options))).toEqual(await plain());
  });
});

test.each(["level", "step"] as const)(
  "annealed inpainting, redrawn by %s, at one scale and at two",
  async (redraw) => {
    using known = engine.tensor(picture, SHAPE);
    using none = engine.tensor([0], [1]);
    using all = engine.tensor([1], [1]);
    for (const sigmas of [[0.5], [2, 0.5]]) {
      const options = { sigmas, seed: 3, epsilon: 0.01, stepsPerLevel: 1 };
      const plain = await taken({ x: await annealedLangevin(engine, score, SHAPE, options) });
      const draw = async (mask: Tensor) =>
        taken({ x: await annealedInpainting(engine, score, SHAPE, { ...options, known, mask, redraw }) });
      expect(await draw(none)).toEqual(plain);
      expect(await draw(all)).toEqual([...picture]);
    }
  },
);
