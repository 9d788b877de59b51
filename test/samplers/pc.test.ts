import { describe, expect, test, vi } from "vitest";
import { UsageError } from "../../engine/errors.ts";
import { mul, scale } from "../../engine/ops/index.ts";
import { randn } from "../../engine/random.ts";
import type { HostData, Shape, Tensor } from "../../engine/tensor.ts";
import { type Corrector, correctors } from "../../samplers/correctors/index.ts";
import {
  asScore,
  type PredictorCorrectorOptions,
  type PredictorCorrectorStep,
  predictorCorrector,
  type Sde,
  subVp,
  timeGrid,
  ve,
  vp,
} from "../../samplers/index.ts";
import { type Plan, planOf } from "../../samplers/pc-options.ts";
import { type Predictor, predictors } from "../../samplers/predictors/index.ts";
import { engine } from "../support/engine.ts";
import { zScore } from "../support/near.ts";
import { diffusedGaussian, diffusedMixture, rowsOf } from "./diffused.ts";

const sdes = {
  ve: (steps: number) => ve({ sigmaMin: 0.005, sigmaMax: 20, steps }),
  vp: (steps: number) => vp({ betaMin: 0.1, betaMax: 8, steps }),
  subvp: (steps: number) => subVp({ betaMin: 0.1, betaMax: 8, steps }),
};

type Pairing = Omit<PredictorCorrectorOptions, "sde" | "seed">;
type Named = Pairing & { sde: keyof typeof sdes };

const pairings: readonly Named[] = [
  { sde: "ve", predictor: "reverse_diffusion", corrector: "langevin" },
  { sde: "ve", predictor: "ancestral_sampling", corrector: "none" },
  { sde: "ve", predictor: "euler_maruyama", corrector: "ald" },
  { sde: "ve", predictor: "none", corrector: "ald", snr: 0.4 },
  { sde: "ve", predictor: "reverse_diffusion", corrector: "none", probabilityFlow: true },
  { sde: "vp", predictor: "euler_maruyama", corrector: "none" },
  { sde: "vp", predictor: "reverse_diffusion", corrector: "ald", correctorSteps: 2 },
  { sde: "vp", predictor: "ancestral_sampling", corrector: "langevin" },
  { sde: "vp", predictor: "euler_maruyama", corrector: "none", probabilityFlow: true },
  { sde: "subvp", predictor: "reverse_diffusion", corrector: "none" },
  { sde: "subvp", predictor: "euler_maruyama", corrector: "langevin" },
  { sde: "subvp", predictor: "reverse_diffusion", corrector: "ald", probabilityFlow: true },
];
const titled = pairings.map((p) => {
  const { sde, predictor, corrector, probabilityFlow } = p;
  return [`${sde}, ${predictor}, ${corrector}${probabilityFlow ? ", flow" : ""}`, p] as const;
});

const [c, s] = [Math.cos(0.6), Math.sin(0.6)];
const axes = [
  [c, s],
  [-s, c],
] as const;
const variances = [0.5, 0.04] as const;
/** Along the axes. The norms that the Langevin corrector measures are known in closed form for a centred Gaussian. */
const centreOf = ({ corrector }: Named) => (corrector === "langevin" ? [0, 0] : [0.7, -0.3]);
const onPlane = ([a, b]: readonly number[]) => [0, 1].map((i) => a! * axes[0][i]! + b! * axes[1][i]!);

interface Moments {
  readonly m: number;
  readonly c: number;
}

/** Mean and variance along each axis of the Gaussian at time t. */
const momentsAt = (sde: Sde, t: number, centre: readonly number[]): Moments[] => {
  const { alpha, std } = sde.marginalAt(t);
  return variances.map((v, k) => ({ m: alpha * centre[k]!, c: alpha ** 2 * v + std ** 2 }));
};

/**
 * Moments along each axis at the end of a chain whose score is that of the Gaussian. Every state is one too, and
 * x <- keep x + pull score + noise z with score = (M - x) / V moves them by m <- (keep - pull / V) m + pull M / V and
 * c <- (keep - pull / V)^2 c + noise^2.
 */
function recursion(sde: Sde, plan: Plan, centre: readonly number[], start: Moments[]): Moments[] {
  let state = start;
  for (const { t, correct, predict } of plan.times) {
    const target = momentsAt(sde, t, centre);
    const move = ({ keep, pull, noise }: typeof predict) => {
      state = state.map(({ m, c }, k) => {
        const [M, V] = [target[k]!.m, target[k]!.c];
        return { m: (keep - pull / V) * m + (pull * M) / V, c: (keep - pull / V) ** 2 * c + noise ** 2 };
      });
    };
    for (let j = 0; j < plan.correctorSteps; j++) {
      const scores = state.map(({ c }, k) => c / target[k]!.c ** 2);
      const unit = plan.unit === "norms" ? meanNorm(scores) ** -2 : 1;
      move({ keep: 1, pull: correct.pull * unit, noise: correct.noise * Math.sqrt(unit) });
    }
    move(predict);
  }
  return state;
}

/** The mean norm of a centred Gaussian with these variances along two axes, in units of that of N(0, I). */
function meanNorm([a, b]: readonly number[]): number {
  const angles = Array.from({ length: 120 }, (_, i) => (2 * Math.PI * i) / 120);
  const norms = angles.map((o) => Math.sqrt(a! * Math.cos(o) ** 2 + b! * Math.sin(o) ** 2));
  return norms.reduce((total, norm) => total + norm, 0) / angles.length;
}

const prior = (sde: Sde): Moments[] => variances.map(() => ({ m: 0, c: sde.priorStd ** 2 }));

/** Runs the sampler; its score is told the time. */
async function draw(
  n: number,
  target: Pick<ReturnType<typeof diffusedMixture>, "score">,
  options: PredictorCorrectorOptions,
): Promise<Float32Array> {
  const { x } = await predictorCorrector(engine, target.score, [n, 2], { condition: (t) => t, ...options });
  const points = (await x.data()) as Float32Array;
  x.dispose();
  return points;
}

describe("a Gaussian", () => {
  test.each(titled)("by %s: 10,000 chains have the moments of the exact recursion", async (_, pairing) => {
    const n = 10_000;
    const sde = sdes[pairing.sde](16);
    const centre = centreOf(pairing);
    const options = { ...pairing, sde, seed: 21, denoise: false };
    using target = diffusedGaussian(engine, sde, { mean: onPlane(centre), axes, variances });
    const points = rowsOf(await draw(n, target, options), 2);
    const along = axes.map(([a, b]) => points.map(([x, y]) => a * x! + b * y!));
    const exact = recursion(sde, planOf(options), centre, prior(sde));

    const average = (f: (i: number) => number) => points.reduce((total, _, i) => total + f(i), 0) / n;
    /** In standard deviations from the mean that it should have. */
    const away = (k: number, i: number) => (along[k]![i]! - exact[k]!.m) / Math.sqrt(exact[k]!.c);
    for (const k of [0, 1]) {
      expect(
        Math.abs(
          zScore(
            average((i) => away(k, i)),
            0,
            1,
            n,
          ),
        ),
        `mean ${k}`,
      ).toBeLessThan(4);
      const square = average((i) => away(k, i) ** 2);
      expect(Math.abs(zScore(square, 1, Math.SQRT2, n)), `variance ${k}`).toBeLessThan(4);
    }
    const product = average((i) => away(0, i) * away(1, i));
    expect(Math.abs(zScore(product, 0, 1, n)), "covariance").toBeLessThan(4);
  });

  test.each(titled)("by %s: the recursion leads from its noise back to it in many steps", (_, pairing) => {
    const sde = sdes[pairing.sde](4000);
    const centre = centreOf(pairing);
    // Langevin steps of finite size have a bias of their own, of order snr^2.
    const plan = planOf({ snr: 0.02, ...pairing, sde, seed: 0, denoise: false });
    const end = recursion(sde, plan, centre, momentsAt(sde, 1, centre));
    for (const [k, { m, c }] of momentsAt(sde, sde.samplingEps, centre).entries()) {
      expect(Math.abs(end[k]!.m - m) / Math.sqrt(c), `mean ${k}`).toBeLessThan(0.01);
      expect(Math.abs(end[k]!.c / c - 1), `variance ${k}`).toBeLessThan(0.01);
    }
  });
});

describe("a mixture", () => {
  const parts = [
    { weight: 0.7, mean: [-1, 0.4], sigma: 0.3 },
    { weight: 0.3, mean: [1.2, -0.5], sigma: 0.2 },
  ];
  /** With steps enough, and correctors' small enough, for a bias well below the Monte Carlo error. */
  test.each<Named & { steps: number }>([
    { sde: "ve", predictor: "reverse_diffusion", corrector: "langevin", snr: 0.05, steps: 200 },
    { sde: "vp", predictor: "ancestral_sampling", corrector: "none", steps: 120 },
    { sde: "subvp", predictor: "euler_maruyama", corrector: "none", steps: 120 },
  ])(
    "by $sde, $predictor, $corrector: weights, means and variances of its parts",
    async ({ steps, ...pairing }) => {
      const n = 10_000;
      const sde = sdes[pairing.sde](steps);
      using target = diffusedMixture(engine, sde, parts);
      const points = rowsOf(await draw(n, target, { ...pairing, sde, seed: 4 }), 2);
      const far = ([x, y]: number[], [a, b]: readonly number[]) => (x! - a!) ** 2 + (y! - b!) ** 2;
      for (const [k, { weight, mean, sigma }] of parts.entries()) {
        const other = parts[1 - k]!;
        const mine = points.filter((p) => far(p, mean) / sigma < far(p, other.mean) / other.sigma);
        const share = zScore(mine.length / n, weight, Math.sqrt(weight * (1 - weight)), n);
        expect(Math.abs(share), `weight ${k}`).toBeLessThan(4);
        for (const i of [0, 1]) {
          const away = mine.map((p) => (p[i]! - mean[i]!) / sigma);
          const average = (power: number) => away.reduce((total, a) => total + a ** power, 0) / away.length;
          expect(Math.abs(zScore(average(1), 0, 1, away.length)), `mean ${k} ${i}`).toBeLessThan(4);
          const spread = zScore(average(2), 1, Math.SQRT2, away.length);
          expect(Math.abs(spread), `variance ${k} ${i}`).toBeLessThan(4);
        }
      }
    },
  );
});

const gaussian = { mean: [0.7, -0.3], axes, variances };
const [n, shape] = [50, [50, 2] as Shape];

describe("the same numbers", () => {
  test.each(titled)("by %s: fused and separate, to rounding", async (_, pairing) => {
    const sde = sdes[pairing.sde](12);
    using target = diffusedGaussian(engine, sde, gaussian);
    const fused = await draw(n, target, { ...pairing, sde, seed: 3, fusion: "fused" });
    const separate = await draw(n, target, { ...pairing, sde, seed: 3, fusion: "separate" });
    const scale = Math.max(...fused.map(Math.abs));
    for (const [i, value] of separate.entries())
      expect(Math.abs(value - fused[i]!)).toBeLessThan(1e-5 * scale);
  });

  test.each([1, 3])(
    "replayed and one by one, to the bit, with %i corrector steps",
    async (correctorSteps) => {
      const sde = sdes.ve(8);
      using target = diffusedGaussian(engine, sde, gaussian);
      const options = { sde, seed: 3, correctorSteps, fusion: "separate" } as const;
      // The draws by their names, as they are asked for: correctors have sites from 1, the predictor has site 0.
      let asked = 0;
      const noise = (shape: Shape) => {
        const [step, site] = [Math.floor(asked / (correctorSteps + 1)), (asked % (correctorSteps + 1)) + 1];
        asked++;
        return randn(engine, shape, { seed: 3, purpose: "sampler", step, site: site % (correctorSteps + 1) });
      };
      expect(await draw(n, target, { ...options, noise })).toEqual(await draw(n, target, options));
      expect(asked).toBe(8 * (correctorSteps + 1));
    },
  );

  test.each([
    { sde: "ve", predictor: "ancestral_sampling", corrector: "none" },
    { sde: "vp", predictor: "reverse_diffusion", corrector: "ald" },
    { sde: "subvp", predictor: "none", corrector: "ald" },
  ] as const)("in parts by sampleOffset, to the bit: $sde, $predictor, $corrector", async (pairing) => {
    const sde = sdes[pairing.sde](8);
    using target = diffusedGaussian(engine, sde, gaussian);
    const options = { ...pairing, sde, seed: 3 };
    const whole = await draw(n, target, options);
    const parts = [await draw(17, target, options), await draw(33, target, { ...options, sampleOffset: 17 })];
    expect(Float32Array.from(parts.flatMap((p) => [...p]))).toEqual(whole);
    expect(await draw(n, target, { ...options, seed: 4 })).not.toEqual(whole);
  });

  test("parts measure their own norms with the Langevin corrector", async () => {
    const sde = sdes.ve(8);
    using target = diffusedGaussian(engine, sde, gaussian);
    const whole = await draw(n, target, { sde, seed: 3 });
    expect(await draw(17, target, { sde, seed: 3 })).not.toEqual(whole.subarray(0, 34));
  });
});

describe("with each sample's own norms", () => {
  /** Corrector steps alone: predictors know nothing of it. */
  const options = { sde: ve({ sigmaMin: 0.01, sigmaMax: 3, steps: 1 }), seed: 5, predictor: "none" } as const;

  test("one step from x towards N(0, v I) has the mean and the mean square of the closed form", async () => {
    const [n, D, snr, v] = [20_000, 6, 0.4, 0.7];
    const from = [0.9, -0.3, 0.2, 1.1, -0.6, 0.4];
    const start = engine.tensor(
      Float32Array.from({ length: n * D }, (_, i) => from[i % D]!),
      [n, D],
    );
    const score = asScore((x) => mul(x, -1 / v));
    const { x } = await predictorCorrector(engine, score, [n, D], {
      ...options,
      snr,
      snrOver: "sample",
      start,
    });
    const rows = rowsOf((await x.data()) as Float32Array, D);
    x.dispose();
    // e = c |z|^2 / |x|^2 with c = 2 snr^2 v^2, and x' = x (1 - e / v) + sqrt(2 e) z, where E |z|^2 = D and E |z|^4 = D (D + 2).
    const rho2 = from.reduce((total, value) => total + value ** 2, 0);
    const [c, fourth] = [2 * snr ** 2 * v ** 2, D * (D + 2)];
    const kept = 1 - (c * D) / (v * rho2);
    const square = rho2 - (2 * c * D) / v + (c ** 2 * fourth) / (v ** 2 * rho2) + (2 * c * fourth) / rho2;
    const z = (values: number[], mean: number) => {
      const average = values.reduce((total, value) => total + value, 0) / n;
      const variance = values.reduce((total, value) => total + (value - average) ** 2, 0) / n;
      return Math.abs(zScore(average, mean, Math.sqrt(variance), n));
    };
    for (const k of from.keys())
      expect(
        z(
          rows.map((row) => row[k]!),
          kept * from[k]!,
        ),
        `mean ${k}`,
      ).toBeLessThan(4);
    const squares = rows.map((row) => row.reduce((total, value) => total + value ** 2, 0));
    expect(z(squares, square), "mean square").toBeLessThan(4);
  });

  test("a batch of one is the published rule's, to rounding; fused and separate agree", async () => {
    using target = diffusedGaussian(engine, sdes.ve(8), gaussian);
    const run = (n: number, more: Partial<PredictorCorrectorOptions>) =>
      draw(n, target, { sde: sdes.ve(8), seed: 3, ...more });
    const near = (a: Float32Array, b: Float32Array) => {
      const scale = Math.max(...b.map(Math.abs));
      for (const [i, value] of a.entries()) expect(Math.abs(value - b[i]!)).toBeLessThan(1e-5 * scale);
    };
    near(await run(1, { snrOver: "sample" }), await run(1, { snrOver: "batch" }));
    expect(await run(5, { snrOver: "batch" })).toEqual(await run(5, {})); // as published unless told
    near(await run(5, { snrOver: "sample" }), await run(5, { snrOver: "sample", fusion: "separate" }));
  });

  test("another rule is refused", async () => {
    const snrOver = "image" as never;
    await expect(
      draw(1, diffusedGaussian(engine, sdes.ve(8), gaussian), { ...options, snrOver }),
    ).rejects.toThrow("predictorCorrector: got snrOver image, expected batch or sample");
  });
});

test("denoise leaves out the predictor's last noise", async () => {
  const sde = sdes.vp(10);
  using target = diffusedGaussian(engine, sde, gaussian);
  const [noisy, mean] = [
    await draw(n, target, { sde, seed: 3, denoise: false }),
    await draw(n, target, { sde, seed: 3, denoise: true }),
  ];
  const z = await engine
    .scope(() => randn(engine, shape, { seed: 3, purpose: "sampler", step: 9 }).alias())
    .data();
  const { noise } = planOf({ sde, seed: 3, denoise: false }).times.at(-1)!.predict;
  for (const [i, value] of mean.entries()) expect(noisy[i]! - value).toBeCloseTo(noise * z[i]!, 5);
  expect(await draw(n, target, { sde, seed: 3 })).toEqual(mean); // on unless told
});

describe("onStep", () => {
  test("is awaited at each time, with the chain as it stands then and evaluations as they were made", async () => {
    const sde = sdes.ve(5);
    using target = diffusedGaussian(engine, sde, gaussian);
    let [busy, calls] = [false, 0];
    const score = asScore((x, t) => {
      calls++;
      return target.score(x, t);
    });
    const seen: (Omit<PredictorCorrectorStep, "x"> & { first: number })[] = [];
    const options = { sde, seed: 3, correctorSteps: 2, condition: (t: number) => t };
    const { x, nfe } = await predictorCorrector(engine, score, shape, {
      ...options,
      async onStep({ x, ...progress }) {
        expect(busy).toBe(false);
        busy = true;
        seen.push({ ...progress, first: (await x.data())[0]! });
        busy = false;
      },
    });
    const times = timeGrid(sde, sde.samplingEps);
    expect(seen.map(({ done, total, t, nfe }) => [done, total, t, nfe])).toEqual(
      times.map((t, i) => [i + 1, 5, t, 3 * (i + 1)]),
    );
    expect(calls).toBe(3); // recorded once
    expect(nfe).toBe(15);
    expect(new Set(seen.map(({ first }) => first)).size).toBe(5);
    expect(seen.at(-1)!.first).toBe((await x.data())[0]);
    x.dispose();
  });

  test("may throw: the chain is given up and its memory given back", async () => {
    const sde = sdes.ve(5);
    using target = diffusedGaussian(engine, sde, gaussian);
    const { live } = engine.memory();
    const onStep = () => {
      throw new Error("enough");
    };
    await expect(draw(n, target, { sde, seed: 3, onStep })).rejects.toThrow("enough");
    expect(engine.memory().live).toBe(live);
  });
});

test("evaluations are those that are made", async () => {
  const sde = sdes.vp(20);
  using target = diffusedGaussian(engine, sde, gaussian);
  const count = async (options: Pairing) => {
    const { x, nfe } = await predictorCorrector(engine, target.score, shape, { ...options, sde, seed: 1 });
    x.dispose();
    return nfe;
  };
  expect(await count({ corrector: "none" })).toBe(20);
  expect(await count({ corrector: "ald", correctorSteps: 2 })).toBe(60);
  expect(await count({ predictor: "none", corrector: "ald", correctorSteps: 2 })).toBe(40);
});

test("a long run reads nothing back, waits once and takes no memory beyond its first step", async () => {
  const sde = sdes.ve(100);
  using target = diffusedGaussian(engine, sde, gaussian);
  const [reads, waits] = [vi.spyOn(engine, "readAll"), vi.spyOn(engine, "sync")];
  const used: number[] = [];
  const before = engine.memory().live;
  try {
    const onStep = () => void used.push(engine.memory().live, engine.memory().created);
    const options = { sde, seed: 3, condition: (t: number) => t, onStep };
    const { x } = await predictorCorrector(engine, target.score, shape, options);
    expect([reads.mock.calls.length, waits.mock.calls.length]).toEqual([0, 1]);
    expect(new Set(used).size).toBe(2);
    x.dispose();
  } finally {
    reads.mockRestore();
    waits.mockRestore();
  }
  expect(engine.memory().live).toBe(before);
});

test("a predictor and a corrector of one's own take the places of the named ones", async () => {
  const sde = sdes.vp(10);
  const score = asScore((x) => scale(x, -1));
  const draw = async (options: Pick<PredictorCorrectorOptions, "predictor" | "corrector">) => {
    const { x } = await predictorCorrector(engine, score, [3, 4], { sde, seed: 2, ...options });
    const values = await x.data();
    x.dispose();
    return values;
  };
  const [step, { unit, stepSize }] = [predictors.euler_maruyama, correctors.ald];
  const own = {
    predictor: ((of, t, options) => step(of, t, options)) satisfies Predictor,
    corrector: { unit, stepSize: (of, t, snr) => stepSize(of, t, snr) } satisfies Corrector,
  };
  const named = await draw({ predictor: "euler_maruyama", corrector: "ald" });
  expect(await draw(own)).toEqual(named);
  expect(await draw({ ...own, predictor: (of, t, o) => ({ ...step(of, t, o), noise: 0 }) })).not.toEqual(
    named,
  );
});

test("start is where the chain begins, and what it becomes", async () => {
  const sde = sdes.vp(10);
  using target = diffusedGaussian(engine, sde, gaussian);
  using start = engine.tensor([90, 90, -90, -90], [2, 2]);
  let first: ArrayLike<number> = [];
  const onStep = async ({ done, x }: PredictorCorrectorStep) => {
    if (done === 1) first = await x.data();
  };
  const options = { sde, seed: 3, condition: (t: number) => t, corrector: "none", start, onStep } as const;
  const { x } = await predictorCorrector(engine, target.score, [2, 2], options);
  expect(x).toBe(start);
  expect(first[0]).toBeGreaterThan(10);
  expect(first[2]).toBeLessThan(-10);
});

test("the score is told sde.conditionAt, or what the caller says", async () => {
  const sde = vp({ betaMax: 4, steps: 4 });
  const told = async (options: Partial<PredictorCorrectorOptions>) => {
    const conditions: Promise<HostData>[] = [];
    const score = asScore((x, condition) => {
      conditions.push(condition.data());
      return engine.zeros(x.shape);
    });
    const noise = (shape: Shape) => engine.zeros(shape); // one by one, so that the score is asked each time
    const all = { sde, seed: 1, corrector: "none", eps: 0.1, noise, ...options } as const;
    const { x } = await predictorCorrector(engine, score, [1, 2], all);
    x.dispose();
    return (await Promise.all(conditions)).map(([value]) => Number(value!.toFixed(4)));
  };
  expect(await told({})).toEqual([999, 699.3, 399.6, 99.9]);
  expect(await told({ condition: sde.labelAt })).toEqual([3, 2.1, 1.2, 0.3]);
});

describe("refuses, before it draws anything,", () => {
  const refusal = async (options: Partial<PredictorCorrectorOptions>) => {
    const score = asScore(() => expect.fail("the score was asked for"));
    const all = { sde: sdes.ve(4), seed: 1, ...options };
    const fault = await predictorCorrector(engine, score, [2, 2], all).catch((e: unknown) => e);
    expect(fault).toBeInstanceOf(UsageError);
    return (fault as Error).message;
  };
  const mine = (text: string) => `predictorCorrector: ${text}`;

  test.each<[string, Partial<PredictorCorrectorOptions>]>([
    [
      mine(
        "got predictor reverse-diffusion, expected one of euler_maruyama, reverse_diffusion, ancestral_sampling, none; did you mean reverse_diffusion?",
      ),
      { predictor: "reverse-diffusion" as never },
    ],
    [mine("got corrector toString, expected one of langevin, ald, none"), { corrector: "toString" as never }],
    [
      mine("got neither predictor nor corrector, expected at least one"),
      { predictor: "none", corrector: "none" },
    ],
    [
      mine("got predictor 5, expected one of euler_maruyama, reverse_diffusion, ancestral_sampling, none"),
      { predictor: 5 as never },
    ],
    [
      mine("got pull NaN at time 1, expected a finite number"),
      { predictor: () => ({ keep: 1, pull: Number.NaN, noise: 0 }) },
    ],
    [
      mine("got the corrector's stepSize Infinity at time 1, expected a finite number"),
      { corrector: { unit: "one", stepSize: () => Infinity } },
    ],
    [mine("got snr 0, expected a positive number"), { snr: 0 }],
    [mine("got correctorSteps 0, expected a whole number from 1"), { correctorSteps: 0 }],
    [mine("got sampleOffset -1, expected a whole number from 0"), { sampleOffset: -1 }],
    ["ve: got eps 0, expected a time between 0 and 1", { eps: 0 }],
    ["ve: got eps 1, expected a time between 0 and 1", { eps: 1 }],
    [
      mine('got noise with fusion: "fused", whose kernel draws its own; leave one of them out'),
      { noise: (shape) => engine.zeros(shape), fusion: "fused" },
    ],
    [
      "ancestral_sampling: got the subvp SDE, expected one with a Markov chain, ve or vp; take reverse_diffusion",
      { predictor: "ancestral_sampling", sde: sdes.subvp(4) },
    ],
    [
      "ancestral_sampling: got probabilityFlow, which it has no form of; take reverse_diffusion or euler_maruyama",
      { predictor: "ancestral_sampling", probabilityFlow: true },
    ],
    [
      "ancestral_sampling: got 8 steps, the last of which leaves nothing of x; take more steps",
      { predictor: "ancestral_sampling", sde: sdes.vp(8) },
    ],
  ])("%s", async (says, options) => {
    expect(await refusal(options)).toBe(says);
  });

  test("a score by an async function", async () => {
    const score = asScore((async (x: Tensor) => x) as never);
    const fault = predictorCorrector(engine, score, [2, 2], { sde: sdes.ve(4), seed: 1 });
    await expect(fault).rejects.toThrow("asScore: got an async function, expected a plain one");
  });

  test("a start of another shape", async () => {
    using start = engine.zeros([3, 2]);
    expect(await refusal({ start })).toMatch("got start [3,2] for samples [2,2], expected one shape");
  });
});
