/** What all samplers promise, whatever they draw. */
import { describe, expect, test } from "vitest";
import { exactScore } from "../../bench/figures/mixture-score.ts";
import { scale } from "../../engine/ops/index.ts";
import { randn } from "../../engine/random.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import {
  annealedInpainting,
  annealedInterpolation,
  annealedLangevin,
  type ChainOptions,
  consistentAnnealing,
  ddim,
  edm,
  hmc,
  langevin,
  mala,
  type PredictorCorrectorOptions,
  predictorCorrector,
  ve,
  vp,
} from "../../samplers/index.ts";
import { engine } from "../support/engine.ts";
import { mixtureEnergy } from "./closed-form.ts";
import { diffusedMixture } from "./diffused.ts";

const parts = [
  { weight: 0.7, mean: [0.2, 0.3], sigma: 0.1 },
  { weight: 0.3, mean: [0.8, 0.6], sigma: 0.06 },
];
const sigmas = [1, 0.6, 0.36];
const annealing = { sigmas, stepsPerLevel: 2, epsilon: 0.02 };
const sde = vp({ steps: 100 });

const scores = exactScore(engine, parts, sigmas);
const energy = mixtureEnergy(engine, parts);
const narrow = ve({ sigmaMin: 0.1, sigmaMax: 1, steps: 5 });
const exploding = diffusedMixture(engine, narrow, parts);
const diffused = diffusedMixture(engine, sde, parts);
const { score } = scores;
const known = engine.untrack(engine.tensor([0.1, 0.2], [1, 2]));
const mask = engine.untrack(engine.tensor([1, 0], [1, 2]));

interface Contract {
  readonly name: string;
  /** Steps of which progress is told. */
  readonly steps: number;
  /** Step and site of each draw of normal numbers, in their order. */
  readonly draws: readonly (readonly [step: number, site: number])[];
  /** Samples for each of the shape's; one that has several cannot be left on its way. */
  readonly rows?: number;
  /** Its samples do not depend on the batch around them, as all but one promise. */
  readonly splits?: boolean;
  run(shape: Shape, options: ChainOptions): Promise<Tensor>;
}

/** At each step the same sites. */
const drawsAt = (steps: number, ...sites: readonly number[]) =>
  Array.from({ length: steps }, (_, step) => sites.map((site) => [step, site] as const)).flat();

const churn = { amount: 1 };
const told = { condition: () => 0.5 };
const contracts: readonly Contract[] = [
  {
    name: "annealedLangevin",
    steps: 6,
    draws: drawsAt(6, 0),
    run: (shape, o) => annealedLangevin(engine, score, shape, { ...annealing, ...o }),
  },
  {
    name: "annealedInpainting by level",
    steps: 6,
    draws: [0, 2, 4].flatMap((step) => [
      [step, 1],
      [step, 0],
      [step + 1, 0],
    ]) as [number, number][],
    run: (shape, o) => annealedInpainting(engine, score, shape, { ...annealing, known, mask, ...o }),
  },
  {
    name: "annealedInpainting by step",
    steps: 6,
    draws: drawsAt(6, 1, 0),
    run: (shape, o) =>
      annealedInpainting(engine, score, shape, { ...annealing, known, mask, redraw: "step", ...o }),
  },
  {
    name: "annealedInterpolation",
    steps: 6,
    draws: drawsAt(6, 0, 1),
    rows: 3,
    run: (shape, o) => annealedInterpolation(engine, score, shape, { ...annealing, interpolations: 3, ...o }),
  },
  {
    name: "consistentAnnealing",
    steps: 3,
    draws: drawsAt(3, 0),
    run: (shape, o) => consistentAnnealing(engine, score, shape, { sigmas, epsilon: 0.1, ...o }),
  },
  ...(["batch", "sample"] as const).map(
    (snrOver): Contract => ({
      name: `predictorCorrector, snr over each ${snrOver}`,
      steps: 5,
      draws: drawsAt(5, 1, 2, 0),
      splits: snrOver === "sample",
      run: async (shape, o) => {
        const options = { sde: narrow, correctorSteps: 2, snrOver, condition: (t: number) => t };
        return (
          await predictorCorrector(engine, exploding.score, shape, {
            ...options,
            ...(o as PredictorCorrectorOptions),
          })
        ).x;
      },
    }),
  ),
  {
    name: "langevin",
    steps: 5,
    draws: drawsAt(5, 0),
    run: (shape, o) => langevin(engine, score, shape, { steps: 5, epsilon: 0.01, ...o }),
  },
  {
    name: "mala",
    steps: 5,
    draws: drawsAt(5, 0),
    run: async (shape, o) => (await mala(engine, energy, shape, { steps: 5, epsilon: 0.01, ...o })).x,
  },
  {
    name: "hmc",
    steps: 5,
    draws: drawsAt(5, 0),
    run: async (shape, o) =>
      (await hmc(engine, energy, shape, { steps: 5, stepSize: 0.1, leapfrogs: 3, ...o })).x,
  },
  {
    name: "edm",
    steps: 5,
    draws: [],
    run: (shape, o) =>
      edm(engine, diffused.score, shape, { steps: 5, sigmaMin: 0.1, sigmaMax: 5, ...told, ...o }),
  },
  {
    name: "edm with churn",
    steps: 5,
    draws: drawsAt(5, 0),
    run: (shape, o) =>
      edm(engine, diffused.score, shape, { steps: 5, sigmaMin: 0.1, sigmaMax: 5, churn, ...told, ...o }),
  },
  {
    name: "ddim",
    steps: 5,
    draws: [],
    run: (shape, o) => ddim(engine, diffused.score, shape, { sde, steps: 5, condition: (t) => t, ...o }),
  },
  {
    name: "ddim with eta",
    steps: 5,
    draws: drawsAt(5, 0),
    run: (shape, o) =>
      ddim(engine, diffused.score, shape, { sde, steps: 5, eta: 1, condition: (t) => t, ...o }),
  },
];

describe.each(contracts.map((c) => [c.name, c] as const))(
  "%s",
  (_, { steps, draws, rows = 1, splits = true, run }) => {
    const draw = async (n: number, options: Partial<ChainOptions> = {}): Promise<number[]> => {
      const x = await run([n, 2], { seed: 11, ...options });
      const values = [...(await x.data())];
      x.dispose();
      return values;
    };

    test("one seed gives one set of samples, to the bit; another gives another", async () => {
      const first = await draw(20);
      expect(first).toHaveLength(40 * rows);
      expect(first.every(Number.isFinite)).toBe(true);
      expect(await draw(20)).toEqual(first);
      const other = await draw(20, { seed: 12 });
      expect(first.filter((v, i) => v !== other[i]).length).toBeGreaterThan(19);
    });

    if (splits)
      test("a batch in parts by sampleOffset is the whole, to the bit", async () => {
        const whole = await draw(30);
        expect([...(await draw(13)), ...(await draw(17, { sampleOffset: 13 }))]).toEqual(whole);
      });

    test("progress is told after each step and awaited, and looking changes nothing", async () => {
      const seen: number[] = [];
      let busy = false;
      const looked = await draw(4, {
        async onStep({ done, total, x }) {
          expect(busy).toBe(false);
          busy = true;
          expect(total).toBe(steps);
          expect((await x.data()).length).toBe(8 * rows);
          seen.push(done);
          busy = false;
        },
      });
      expect(seen).toEqual(Array.from({ length: steps }, (_, i) => i + 1));
      expect(await draw(4)).toEqual(looked);
    });

    test("what fails gives its memory back, and so does what ends", async () => {
      const { live } = engine.memory();
      const stop = () => {
        throw new Error("enough");
      };
      await expect(draw(4, { onStep: stop })).rejects.toThrow("enough");
      await expect(draw(4, { seed: -1 })).rejects.toThrow("random: got seed -1");
      expect(engine.memory().live).toBe(live);
      await draw(4);
      expect(engine.memory().live).toBe(live);
    });

    test("a start is the caller's, whatever happens", async () => {
      using start = engine.untrack(randn(engine, [4, 2], { seed: 1, purpose: "user" }));
      const before = [...(await start.data())];
      const stop = () => {
        throw new Error("enough");
      };
      await expect(run([4, 2], { seed: 1, start, onStep: stop })).rejects.toThrow("enough");
      expect(start.disposed).toBe(false);
      const x = await run([4, 2], { seed: 1, start });
      if (rows === 1) expect(x).toBe(start);
      else {
        expect([...(await start.data())]).toEqual(before);
        x.dispose();
      }
      using odd = engine.zeros([3, 2]);
      await expect(run([4, 2], { seed: 1, start: odd })).rejects.toThrow(
        "got start [3,2] for samples [4,2], expected one shape",
      );
    });

    test("samples without an axis to count them are refused", async () => {
      const { live } = engine.memory();
      await expect(run([], { seed: 1 })).rejects.toThrow(/: got samples \[\], expected \[n,\.\.\.\]$/);
      await expect(run([0, 2], { seed: 1 })).rejects.toThrow(
        ": got shape [0,2], expected whole lengths of at least 1",
      );
      expect(engine.memory().live).toBe(live);
    });

    if (rows === 1)
      test("left after any step, it goes on to the same samples, to the bit", async () => {
        const states: Tensor[] = [];
        const onStep = ({ x }: { x: Tensor }) => void states.push(engine.untrack(scale(x, 1)));
        const whole = await draw(4, { onStep });
        for (const [i, start] of states.entries()) {
          const told: number[] = [];
          const done = i + 1;
          const onStep = ({ done }: { done: number }) => void told.push(done);
          expect(await draw(4, { start, done, onStep }), `after ${done}`).toEqual(whole); // it frees the start
          expect(told).toEqual(Array.from({ length: steps - done }, (_, k) => done + k + 1));
        }
      });

    if (rows === 1)
      test("a place to go on from that is none is refused", async () => {
        using start = engine.zeros([4, 2]);
        const refused = (options: Partial<ChainOptions>) => run([4, 2], { seed: 1, ...options });
        await expect(refused({ start, done: steps + 1 })).rejects.toThrow(
          `got done ${steps + 1} of ${steps} steps, expected at most ${steps}`,
        );
        await expect(refused({ start, done: 0.5 })).rejects.toThrow(
          "got done 0.5, expected a whole number from 0",
        );
        await expect(refused({ done: 1 })).rejects.toThrow(
          "got done 1 without a start, expected the chain's state after that step",
        );
      });

    test("noise that is handed in takes the place of the steps' own, to rounding", async () => {
      let drawn = 0;
      const noise = (shape: Shape): Tensor => {
        const [step, site] = draws[drawn++]!;
        return randn(engine, shape, { seed: 11, purpose: "sampler", step, site });
      };
      const [own, handed] = [await draw(6), await draw(6, { noise })];
      expect(drawn).toBe(draws.length);
      for (const [i, value] of own.entries()) expect(Math.abs(handed[i]! - value)).toBeLessThan(1e-4);
    });
  },
);
