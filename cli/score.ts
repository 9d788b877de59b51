import { cast, mul } from "../engine/ops/index.ts";
import type { Tensor } from "../engine/tensor.ts";
import type { ScoreNet } from "../models/index.ts";
import { asPredictor, epsToScore, type Predictor, thatPredicts } from "../models/prediction.ts";
import { asScore, type ScoreFunction, subVp, ve, vp } from "../samplers/index.ts";
import { lookUp } from "../train/losses/denoising.ts";
import { isLabelled } from "./config/model.ts";
import type { Config, SdeConfig } from "./config.ts";

/** The SDE of a configuration, in so many steps; as configured unless told. */
export function sdeOf({ sde }: Pick<SdeConfig, "sde">, steps = sde.numScales) {
  switch (sde.name) {
    case "ve":
      return ve({ ...sde, steps });
    case "vp":
      return vp({ ...sde, steps });
    case "subvp":
      return subVp({ ...sde, steps });
  }
}

/** What a network is told of a time: the number for continuous time, or the label of a step. */
export function conditionOf(config: SdeConfig): (t: number) => number {
  const sde = sdeOf(config);
  return config.sde.continuous || !("labelAt" in sde) ? sde.conditionAt : sde.labelAt;
}

/** A configuration's network as the score that samplers take: converted where it predicts noise. */
export function scoreOf(network: ScoreNet<"score" | "eps">, config: Config): ScoreFunction {
  const told = isLabelled(config.model) ? labelled(network) : asPredictor(network);
  if (!config.sde || network.predicts === "score") return told as Predictor<"score">;
  return epsToScore(told as Predictor<"eps">, stdOf(config));
}

const labelled = (network: ScoreNet<"score" | "eps">): ScoreFunction => {
  const predictor = asPredictor(thatPredicts(network, "score"));
  return asScore((x, condition) => predictor(x, cast(condition, "i32")));
};

/** The noise in the images by what a network is told of it, [n] -> [n]. */
function stdOf(config: SdeConfig): (condition: Tensor) => Tensor {
  const sde = sdeOf(config);
  if (!config.sde.continuous && sde.name === "vp")
    return (label) => lookUp(sde.discrete.sqrtOneMinusAlphasCumprod, cast(label, "i32"));
  const perTime = 1 / sde.conditionAt(1);
  return (condition) => sde.marginal(mul(condition, perTime)).std;
}
