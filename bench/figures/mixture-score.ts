import type { Component } from "../../data/mixture.ts";
import type { Engine } from "../../engine/engine.ts";
import { asScore, type ScoreFunction } from "../../samplers/index.ts";
import { blurByLabel, mixtureInOps, type RoundMixture } from "./mixture-in-ops.ts";

interface ExactScore extends Disposable {
  readonly score: ScoreFunction;
}

/**
 * The score of a mixture of round Gaussians on the plane, blurred by the noise scale that each label names, written in
 * ops so that samplers can run on it: x [n, 2], labels [n] (i32) -> [n, 2].
 */
export function exactScore(
  engine: Engine,
  components: readonly Component[],
  sigmas: readonly number[],
): ExactScore {
  const law = mixtureInOps(engine, roundMixture(components));
  const byLabel = blurByLabel(engine, sigmas);
  return {
    score: asScore((x, labels) => law.score(x, byLabel.blur(labels))),
    [Symbol.dispose]() {
      law[Symbol.dispose]();
      byLabel[Symbol.dispose]();
    },
  };
}

/** The same parts as the ops take them. */
export const roundMixture = (components: readonly Component[]): RoundMixture => ({
  weights: components.map((c) => c.weight),
  means: components.flatMap((c) => c.mean),
  stds: components.map((c) => c.sigma),
});
