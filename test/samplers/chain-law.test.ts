/** Samplers other than predictor-corrector on a mixture, against the exact laws of the steps that the papers write. */
import { describe, expect, test } from "vitest";
import { embedding, reshape } from "../../engine/ops/index.ts";
import { rand, randn } from "../../engine/random.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import {
  annealedLangevin,
  consistentAnnealing,
  ddim,
  edm,
  euler,
  heun,
  hmc,
  langevin,
  mala,
  type OdeSolver,
  rk45,
  type ScoreFunction,
  sampleFlow,
} from "../../samplers/index.ts";
import { engine } from "../support/engine.ts";
import { chainLaw, gaussianAt, type LineLaw, type Move, type Normal } from "./line-law.ts";
import {
  coefficients,
  noisedIn,
  noisedOf,
  type Pairing,
  priorStd,
  samplingEps,
  sdes,
  toldAt,
} from "./paper-steps.ts";
import {
  expectChance,
  lawOf,
  lineScore,
  mixed,
  type Noised,
  onPlane,
  planeScore,
  twoParts,
  twoPartsZ,
} from "./plane-target.ts";

const SHAPE: Shape = [10_000, 2];
type Score = (x: number, noised: Noised<number>) => number;
const scores: readonly [Score, Score] = [lineScore(twoParts.along), lineScore([twoParts.across])];

interface Case {
  readonly name: string;
  /** The standard deviation of the start. */
  readonly prior: number;
  /** What the score is told, in ops. */
  readonly noised: (condition: Tensor) => Noised<Tensor>;
  readonly run: (score: ScoreFunction, seed: number) => Promise<Tensor>;
  /** The paper's steps along an axis. */
  readonly moves: (score: Score) => readonly Move[];
}

const blur = (sigma: number): Noised<number> => ({ alpha: 1, variance: sigma ** 2 });
const unit = Array.from({ length: 40 }, (_, i) => i);

const sigmas = [2, 1.2, 0.7, 0.4, 0.25, 0.15];
const table = engine.untrack(
  engine.tensor(
    sigmas.map((s) => s * s),
    [sigmas.length, 1],
  ),
);
const byLabel = (labels: Tensor): Noised<Tensor> => ({
  alpha: engine.ones(labels.shape),
  variance: reshape(embedding(table, labels), labels.shape),
});
const last = sigmas.at(-1)!;
const tweedie = (score: Score): Move => ({ map: (x) => x + last ** 2 * score(x, blur(last)) });

/** Song & Ermon 2019, algorithm 1, and the denoising step of 2020. */
const annealed: readonly Case[] = [true, false].map((denoise) => ({
  name: `annealed Langevin dynamics, ${denoise ? "denoised" : "not denoised"}`,
  prior: sigmas[0]!,
  noised: byLabel,
  run: (score, seed) =>
    annealedLangevin(engine, score, SHAPE, {
      sigmas,
      stepsPerLevel: 4,
      epsilon: 0.3 * last ** 2,
      prior: "normal",
      denoise,
      seed,
    }),
  moves: (score) => [
    ...sigmas.flatMap((sigma) =>
      unit
        .slice(0, 4)
        .flatMap(() => [
          { map: (x: number) => x + 0.3 * sigma ** 2 * score(x, blur(sigma)) },
          { noise: Math.sqrt(0.6) * sigma },
        ]),
    ),
    ...(denoise ? [tweedie(score)] : []),
  ],
}));

/** Jolicoeur-Martineau et al. 2021, algorithm 2. */
const consistent: Case = {
  name: "consistent annealing",
  prior: sigmas[0]!,
  noised: byLabel,
  run: (score, seed) => consistentAnnealing(engine, score, SHAPE, { sigmas, epsilon: 0.7 * last ** 2, seed }),
  moves: (score) => [
    ...sigmas
      .slice(0, -1)
      .flatMap((sigma, i) => [
        { map: (x: number) => x + 0.7 * sigma ** 2 * score(x, blur(sigma)) },
        { noise: Math.sqrt(sigmas[i + 1]! ** 2 - (0.3 * sigma) ** 2) },
      ]),
    tweedie(score),
  ],
};

const names: readonly Pairing["sde"][] = ["ve", "vp", "subvp"];

/** Song, Meng & Ermon 2021, equations 12 and 16. */
const implicit: readonly Case[] = names.flatMap((sde) =>
  [0, 0.5, 1].map((eta): Case => {
    const times = unit.slice(0, 15).map((i) => 1 + ((samplingEps[sde] - 1) * i) / 14);
    const path = [...times.map((t) => noisedOf(sde, toldAt(sde, t))), { alpha: 1, variance: 0 }];
    return {
      name: `DDIM, ${sde}, eta ${eta}`,
      prior: priorStd[sde],
      noised: noisedIn(sde),
      run: (score, seed) =>
        ddim(engine, score, SHAPE, {
          sde: sdes[sde](15),
          steps: 15,
          eta,
          seed,
          condition: (t) => toldAt(sde, t),
        }),
      moves: (score) =>
        times.flatMap((_, k) => {
          const [now, next] = [path[k]!, path[k + 1]!];
          const noise =
            eta *
            Math.sqrt(
              (next.variance / now.variance) * (now.variance - (now.alpha / next.alpha) ** 2 * next.variance),
            );
          const map = (x: number) => {
            const eps = -Math.sqrt(now.variance) * score(x, now);
            const clean = (x - Math.sqrt(now.variance) * eps) / now.alpha;
            return next.alpha * clean + Math.sqrt(next.variance - noise ** 2) * eps;
          };
          return [{ map }, { noise }];
        }),
    };
  }),
);

/** Karras et al. 2022, algorithms 1 and 2, equation 5. */
const heunSteps: readonly Case[] = [
  { name: "EDM", churn: undefined },
  { name: "EDM with churn", churn: { amount: 5, min: 0.05, max: 8, noise: 1.02 } },
].map(({ name, churn }) => {
  const [N, low, high] = [14, 0.01, 12];
  const scales = unit
    .slice(0, N)
    .map((i) => (high ** (1 / 7) + (i / (N - 1)) * (low ** (1 / 7) - high ** (1 / 7))) ** 7);
  return {
    name,
    prior: high,
    noised: noisedIn("ve"),
    run: (score, seed) =>
      edm(engine, score, SHAPE, { steps: N, sigmaMin: low, sigmaMax: high, seed, ...(churn && { churn }) }),
    moves: (score) =>
      scales.flatMap((sigma, i) => {
        const next = scales[i + 1] ?? 0;
        const raised =
          churn && sigma >= churn.min && sigma <= churn.max ? sigma * (1 + churn.amount / N) : sigma;
        const map = (x: number) => {
          const slope = -raised * score(x, blur(raised));
          const there = x + (next - raised) * slope;
          if (next === 0) return there;
          return x + ((next - raised) / 2) * (slope - next * score(there, blur(next)));
        };
        return [{ noise: (churn?.noise ?? 1) * Math.sqrt(raised ** 2 - sigma ** 2) }, { map }];
      }),
  };
});

type Stepper = (slope: (x: number, t: number) => number, x: number, t: number, h: number) => number;
const eulers: Stepper = (slope, x, t, h) => x + h * slope(x, t);
const heuns: Stepper = (slope, x, t, h) => {
  const before = slope(x, t);
  return x + (h / 2) * (before + slope(x + h * before, t + h));
};
/** Of fourth order: Kutta 1901. */
const kuttas: Stepper = (slope, x, t, h) => {
  const a = slope(x, t);
  const b = slope(x + (h / 2) * a, t + h / 2);
  const c = slope(x + (h / 2) * b, t + h / 2);
  return x + (h / 6) * (a + 2 * b + 2 * c + slope(x + h * c, t + h));
};

/** The probability flow, Song et al. 2021, equation 13; adaptive steps against 60 of Kutta's. */
const flows: readonly Case[] = names.flatMap((sde) =>
  (
    [
      ["rk45", rk45(), kuttas, 60],
      ["heun", heun(20), heuns, 20],
      ["euler", euler(20), eulers, 20],
    ] as readonly [string, OdeSolver, Stepper, number][]
  ).map(
    ([name, solver, step, count]): Case => ({
      name: `probability flow, ${sde}, ${name}`,
      prior: priorStd[sde],
      noised: noisedIn(sde),
      async run(score, seed) {
        const condition = (t: number) => toldAt(sde, t);
        return (await sampleFlow(engine, score, SHAPE, { sde: sdes[sde](20), solver, seed, condition })).x;
      },
      moves(score) {
        const slope = (x: number, t: number) => {
          const { f, g2 } = coefficients(sde, t);
          return f * x - 0.5 * g2 * score(x, noisedOf(sde, toldAt(sde, t)));
        };
        const h = (samplingEps[sde] - 1) / count;
        return Array.from({ length: count }, (_, i) => ({ map: (x) => step(slope, x, 1 + i * h, h) }));
      },
    }),
  ),
);

const cases = [...annealed, consistent, ...implicit, ...heunSteps, ...flows];
/** Of this file's z-scores: ten for each case and for each of four chains that start in the target. */
const COUNT = 10 * (cases.length + 4);

describe("10,000 chains: weights, means and covariances of the parts are those of the steps", () => {
  test.each(cases.map((c, i) => [c.name, c, i] as const))(
    "%s",
    async (_, { prior, noised, run, moves }, i) => {
      using score = planeScore(engine, twoParts, noised);
      const x = await run(score, 60 + i);
      const points = (await x.data()) as Float32Array;
      x.dispose();
      const start: Normal = { mean: 0, variance: prior ** 2 };
      const laws = [chainLaw(start, moves(scores[0])), gaussianAt(start, moves(scores[1]))] as const;
      const z = twoPartsZ(points, ...laws);
      expectChance(z, COUNT);
    },
  );
});

describe("from the target itself, with steps too long for its narrow parts", () => {
  const [epsilon, steps] = [0.02, 30];

  /** 10,000 points of the target. */
  async function drawn(): Promise<Tensor> {
    const draw = (seed: number) => ({ seed, purpose: "user" }) as const;
    const [z, u] = await engine.readAll([randn(engine, SHAPE, draw(5)), rand(engine, [SHAPE[0]!], draw(6))]);
    const { along, across } = twoParts;
    const places = Array.from(u!, (chance, i) => {
      const part = chance < along[0]!.weight ? along[0]! : along[1]!;
      return [
        part.mean + Math.sqrt(part.variance) * z![2 * i]!,
        across.mean + Math.sqrt(across.variance) * z![2 * i + 1]!,
      ] as const;
    });
    return engine.untrack(engine.tensor(onPlane(places), SHAPE));
  }
  const clean: Noised<number> = { alpha: 1, variance: 0 };
  const law = { along: lawOf(twoParts.along, clean), across: twoParts.across };
  const unbiased = (points: Float32Array) => twoPartsZ(points, law.along, law.across);
  const target = () =>
    planeScore(engine, twoParts, (labels) => ({
      alpha: engine.ones(labels.shape),
      variance: engine.zeros(labels.shape),
    }));

  test("the draws are of the target", async () => {
    using start = await drawn();
    expectChance(unbiased((await start.data()) as Float32Array), COUNT);
  });

  test("unadjusted Langevin dynamics goes where its steps lead, which is elsewhere", async () => {
    using score = target();
    using start = await drawn();
    await langevin(engine, score, SHAPE, { epsilon, steps, start, seed: 91 });
    const points = (await start.data()) as Float32Array;
    const moves = (own: Score) =>
      unit
        .slice(0, steps)
        .flatMap((): Move[] => [
          { map: (x) => x + epsilon * own(x, clean) },
          { noise: Math.sqrt(2 * epsilon) },
        ]);
    const along: LineLaw = mixed(
      twoParts.along.map((part) => [part.weight, chainLaw(part, moves(scores[0]))] as const),
    );
    expectChance(twoPartsZ(points, along, gaussianAt(twoParts.across, moves(scores[1]))), COUNT);
    const wrong = unbiased(points);
    for (const name of ["variance of the first", "variance of the second", "variance across"])
      expect(wrong[name]).toBeGreaterThan(6);
  });

  test.each([
    [
      "MALA",
      (score: ReturnType<typeof target>, start: Tensor) =>
        mala(engine, score.energy, SHAPE, { epsilon, steps, start, seed: 92 }),
    ],
    [
      "HMC",
      (score: ReturnType<typeof target>, start: Tensor) =>
        hmc(engine, score.energy, SHAPE, {
          stepSize: Math.sqrt(2 * epsilon),
          leapfrogs: 5,
          steps,
          start,
          seed: 93,
        }),
    ],
  ] as const)("%s stays", async (_, sample) => {
    using score = target();
    using start = await drawn();
    const before = Float32Array.from(await start.data());
    const { acceptance } = await sample(score, start);
    const after = (await start.data()) as Float32Array;
    expectChance(unbiased(after), COUNT);
    expect(acceptance).toBeGreaterThan(0.5);
    expect(acceptance).toBeLessThan(0.97);
    expect(after.filter((value, i) => value === before[i]).length).toBe(0); // every chain has moved
  });
});
