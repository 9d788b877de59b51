import { afterAll, describe, expect, test } from "vitest";
import { mul } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { Init } from "../../models/init.ts";
import { Ncsn } from "../../models/ncsn.ts";
import { NcsnPP } from "../../models/ncsnpp.ts";
import {
  asPredictor,
  epsToScore,
  type Predictor,
  scoreToEps,
  scoreToX0,
  x0ToScore,
} from "../../models/prediction.ts";
import { type AnnealedLangevinOptions, annealedLangevin, type ScoreFunction } from "../../samplers/index.ts";
import { engine } from "../support/engine.ts";

const x = engine.untrack(engine.tensor([1, -2, 3, 0.5], [2, 2]));
const t = engine.untrack(engine.tensor([0.25, 0.5]));
const alpha = (time: Tensor) => mul(time, 2);
const sigma = (time: Tensor) => mul(time, 0.5);
/** Of one dimension: alpha is 0.5 for the first sample and 1 for the second, sigma 0.125 and 0.25. */
const [a, s] = [
  [0.5, 0.5, 1, 1],
  [0.125, 0.125, 0.25, 0.25],
];
const output = [0.5, -1, 2, 4];
const constant = <P extends "score" | "eps" | "x0">(predicts: P): Predictor<P> =>
  Object.assign(() => engine.tensor(output, [2, 2]), { predicts });
afterAll(() => {
  x.dispose();
  t.dispose();
});

async function values(f: (x: Tensor, t: Tensor) => Tensor): Promise<number[]> {
  const y = engine.scope(() => f(x, t));
  const data = [...(await y.data())];
  y.dispose();
  return data;
}

const near = (got: number[], expected: number[]) =>
  expected.forEach((v, i) => {
    expect(got[i]).toBeCloseTo(v, 4);
  });

describe("conversions", () => {
  const xs = [1, -2, 3, 0.5];

  test("eps to score", async () => {
    near(
      await values(epsToScore(constant("eps"), sigma)),
      output.map((v, i) => -v / s![i]!),
    );
  });

  test("score to eps", async () => {
    near(
      await values(scoreToEps(constant("score"), sigma)),
      output.map((v, i) => -v * s![i]!),
    );
  });

  test("x0 to score", async () => {
    const expected = output.map((v, i) => (a![i]! * v - xs[i]!) / s![i]! ** 2);
    near(await values(x0ToScore(constant("x0"), alpha, sigma)), expected);
  });

  test("score to x0", async () => {
    const expected = output.map((v, i) => (xs[i]! + s![i]! ** 2 * v) / a![i]!);
    near(await values(scoreToX0(constant("score"), alpha, sigma)), expected);
  });

  test("there and back", async () => {
    near(await values(scoreToX0(x0ToScore(constant("x0"), alpha, sigma), alpha, sigma)), output);
    near(await values(scoreToEps(epsToScore(constant("eps"), sigma), sigma)), output);
  });
});

test("a wrong pairing does not compile", () => {
  const init = new Init(engine, 1);
  const small = { channels: 1, imageSize: 8, nf: 8, chMult: [1], numResBlocks: 1, attnResolutions: [] };
  const pairings = () => {
    const options = {} as AnnealedLangevinOptions;
    const score = asPredictor(new Ncsn(init, { channels: 1, imageSize: 8, ngf: 4, numClasses: 2 }));
    const eps = asPredictor(
      new NcsnPP(init, { ...small, predicts: "eps", sigmas: [1], scaleBySigma: false }),
    );
    const accepted: ScoreFunction[] = [score, epsToScore(eps, sigma)];
    // @ts-expect-error: a network that predicts the noise is no score
    annealedLangevin(engine, eps, [1, 1, 8, 8], options);
    // @ts-expect-error: nor is one that predicts the clean image
    annealedLangevin(engine, constant("x0"), [1, 1, 8, 8], options);
    // @ts-expect-error: nor is a bare function, which says nothing of what it is
    annealedLangevin(engine, (y: Tensor) => y, [1, 1, 8, 8], options);
    // @ts-expect-error: a score is not converted as if it were noise
    epsToScore(score, sigma);
    return accepted;
  };
  expect(pairings).toBeTypeOf("function"); // never called: the compiler, run by `npm run check`, is the test
});
