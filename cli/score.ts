import { cast, mul } from "../engine/ops/index.ts";
import type { Tensor } from "../engine/tensor.ts";
import type { ScoreNet } from "../models/index.ts";
import { asPredictor, epsToScore, type Predictor, thatPredicts } from "../models/prediction.ts";
import {
  asScore,
  type Marginal,
  type ScoreFunction,
  type SubVp,
  sdes,
  type Ve,
  type Vp,
} from "../samplers/index.ts";
import { lookUp } from "../train/losses/denoising.ts";
import { isLabelled } from "./config/model.ts";
import type { Config, SdeConfig } from "./config.ts";
import { sigmasOf } from "./network.ts";

/** The SDE of a configuration, in so many steps; as configured unless told. */
export function sdeOf({ sde }: Pick<SdeConfig, "sde">, steps = sde.numScales): Ve | Vp | SubVp {
  const make = sdes[sde.name] as (options: object) => Ve | Vp | SubVp; // each section is its own SDE's
  return make({ ...sde, steps });
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
  const marginal = marginalOf(config);
  return epsToScore(told as Predictor<"eps">, (condition) => marginal(condition).std);
}

const labelled = (network: ScoreNet<"score" | "eps">): ScoreFunction => {
  const predictor = asPredictor(thatPredicts(network, "score"));
  return asScore((x, condition) => predictor(x, cast(condition, "i32")));
};

/** Image and noise in what a network sees by what it is told of the noise, [n] -> [n] each. */
export function marginalOf(config: Config): (condition: Tensor) => Marginal<Tensor> {
  const exploding = (std: (condition: Tensor) => Tensor) => (condition: Tensor) => ({
    alpha: condition.engine.ones([condition.size]),
    std: std(condition),
  });
  const inTable = (table: readonly number[]) => (label: Tensor) => lookUp(table, cast(label, "i32"));
  if (!config.sde) return exploding(inTable(sigmasOf(config)));
  const sde = sdeOf(config);
  const { continuous } = config.sde;
  if (sde.name === "ve") return exploding(continuous ? (sigma) => sigma : inTable(sigmasOf(config)));
  if (!continuous && sde.name === "vp") {
    const { sqrtAlphasCumprod, sqrtOneMinusAlphasCumprod } = sde.discrete;
    const [alpha, std] = [inTable(sqrtAlphasCumprod), inTable(sqrtOneMinusAlphasCumprod)];
    return (label) => ({ alpha: alpha(label), std: std(label) });
  }
  const perTime = 1 / sde.conditionAt(1);
  return (condition) => sde.marginal(mul(condition, perTime));
}
