/** All pairings of predictor, corrector and SDE against the exact laws of the steps that the papers write. */
import { describe, expect, test } from "vitest";
import { predictorCorrector } from "../../samplers/index.ts";
import { engine } from "../support/engine.ts";
import { chainLaw, gaussianAt, gaussianLaw, type LineLaw, type Move, type Normal } from "./line-law.ts";
import {
  noisedIn,
  noisedOf,
  type Pairing,
  type PaperStep,
  priorStd,
  samplingEps,
  sdes,
  stepsAt,
  toldAt,
} from "./paper-steps.ts";
import {
  expectChance,
  gaussian,
  gaussianZ,
  lawOf,
  lineScore,
  mixed,
  type Noised,
  observed,
  type PlaneTarget,
  planeScore,
  twoParts,
  twoPartsZ,
} from "./plane-target.ts";

const CHAINS = 10_000;
/**
 * So large that a corrector takes a good part of the way at each time, and no error in it stays unseen. The Langevin
 * corrector measures norms over the batch, whose chance is in no law: where it is small, so is what it adds to errors.
 */
const snrOf = ({ predictor, corrector }: Pairing): number =>
  corrector !== "langevin" ? 0.4 : predictor === "none" ? 0.12 : 0.25;

const pairings: readonly Pairing[] = (["ve", "vp", "subvp"] as const).flatMap((sde) =>
  (["euler_maruyama", "reverse_diffusion", "ancestral_sampling", "none"] as const).flatMap((predictor) =>
    (["none", "ald", "langevin"] as const).flatMap((corrector): Pairing[] => {
      const pairing = { sde, predictor, corrector };
      if (predictor === "none") return corrector === "none" ? [] : [pairing];
      if (predictor === "ancestral_sampling") return sde === "subvp" ? [] : [pairing];
      return [pairing, { ...pairing, probabilityFlow: true }];
    }),
  ),
);
const titled = (p: Pairing) =>
  [`${p.sde}, ${p.predictor}, ${p.corrector}${p.probabilityFlow ? ", flow" : ""}`, p] as const;

/** Reverse diffusion of the sub-VP SDE is Euler and Maruyama's method; a flow with a corrector is made of the others. */
const onMixtures = pairings.filter(
  ({ sde, predictor, corrector, probabilityFlow }) =>
    !(sde === "subvp" && predictor === "reverse_diffusion") && !(probabilityFlow && corrector !== "none"),
);

/** Both axes' moves; the step size of the Langevin corrector follows from the laws so far. */
function movesOf(pairing: Pairing, target: PlaneTarget, steps: number) {
  const scores = [lineScore(target.along), lineScore([target.across])] as const;
  const moves: [Move[], Move[]] = [[], []];
  const prior: Normal = { mean: 0, variance: priorStd[pairing.sde] ** 2 };
  const step = ({ keep, pull, noise }: PaperStep, noised: Noised<number>) => {
    for (const axis of [0, 1] as const)
      moves[axis].push({ map: (x) => keep * x + pull * scores[axis](x, noised) }, { noise });
  };
  for (let i = 0; i < steps; i++) {
    const { noised, correct, predict } = stepsAt(pairing, i, steps, snrOf(pairing));
    if (pairing.corrector !== "none") {
      let ratio = 0;
      if (pairing.corrector === "langevin") {
        const across = gaussianAt(prior, moves[1]);
        // Of the score along the second axis, which is affine in a Gaussian.
        const slope = scores[1](1, noised) - scores[1](0, noised);
        const centre = scores[1](across.mean, noised);
        const deviation = Math.abs(slope) * Math.sqrt(across.variance);
        const norm = (x: number) => meanHypot(scores[0](x, noised), centre, deviation);
        const along = lawAlong(target, prior, moves[0]);
        ratio = Math.sqrt(Math.PI / 2) / along.means([norm])[0]!;
      }
      step(correct(ratio), noised);
    }
    if (pairing.predictor !== "none") step(predict, noised);
  }
  return { prior, moves };
}

const lawAlong = (target: PlaneTarget, prior: Normal, moves: readonly Move[]): LineLaw =>
  target.along.length === 1 ? gaussianLaw(prior, moves) : chainLaw(prior, moves);

/** The mean of |(a, b)| over b ~ N(mean, deviation^2). */
function meanHypot(a: number, mean: number, deviation: number): number {
  let [total, weights] = [0, 0];
  for (let z = -6; z <= 6; z += 0.25) {
    const weight = Math.exp(-0.5 * z * z);
    weights += weight;
    total += weight * Math.hypot(a, mean + deviation * z);
  }
  return total / weights;
}

async function draw(pairing: Pairing, target: PlaneTarget, steps: number): Promise<Float32Array> {
  using score = planeScore(engine, target, noisedIn(pairing.sde));
  const { x } = await predictorCorrector(engine, score, [CHAINS, 2], {
    ...pairing,
    sde: sdes[pairing.sde](steps),
    snr: snrOf(pairing),
    seed: 31 + pairings.indexOf(pairing),
    denoise: false,
    condition: (t) => toldAt(pairing.sde, t),
  });
  const points = (await x.data()) as Float32Array;
  x.dispose();
  return points;
}

/** Of this file's z-scores. */
const COUNT = 5 * pairings.length + 10 * onMixtures.length;

describe("a Gaussian: mean and covariance of 10,000 chains are those of the steps", () => {
  test.each(pairings.map(titled))("by %s", async (_, pairing) => {
    const steps = 16;
    const { prior, moves } = movesOf(pairing, gaussian, steps);
    const laws = [gaussianAt(prior, moves[0]), gaussianAt(prior, moves[1])] as const;
    expectChance(gaussianZ(await draw(pairing, gaussian, steps), laws), COUNT);
  });
});

describe("a mixture: weights, means and covariances of the parts of 10,000 chains are those of the steps", () => {
  test.each(onMixtures.map(titled))("by %s", async (_, pairing) => {
    const steps = 20;
    const { prior, moves } = movesOf(pairing, twoParts, steps);
    const laws = [chainLaw(prior, moves[0]), gaussianAt(prior, moves[1])] as const;
    expectChance(twoPartsZ(await draw(pairing, twoParts, steps), ...laws), COUNT);
  });
});

describe("the steps lead from noised data back to the data: with twice of them half of the error", () => {
  const predicted = onMixtures.filter(({ corrector }) => corrector === "none");
  test.each(predicted.map(titled))("by %s", (_, pairing) => {
    const { sde } = pairing;
    const noised = (t: number) => noisedOf(sde, toldAt(sde, t));
    const aim = observed(lawOf(twoParts.along, noised(samplingEps[sde])));
    const { alpha, variance } = noised(1);
    const error = (steps: number) => {
      const { moves } = movesOf(pairing, twoParts, steps);
      const from = twoParts.along.map((part) => {
        const start = { mean: alpha * part.mean, variance: alpha ** 2 * part.variance + variance };
        return [part.weight, chainLaw(start, moves[0])] as const;
      });
      return Math.hypot(...observed(mixed(from)).map((value, i) => value - aim[i]!));
    };
    const ratio = error(60) / error(120);
    expect(ratio).toBeGreaterThan(1.6);
    expect(ratio).toBeLessThan(2.6);
  });
});
