import type { Engine } from "../../../engine/engine.ts";
import { UsageError } from "../../../engine/errors.ts";
import { add, cast, concat, div, mul, narrow, reshape, scale, square } from "../../../engine/ops/index.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import { epsToScore, scoreToEps } from "../../../models/prediction.ts";
import { correctors, predictorCorrector, predictors, type ScoreFunction } from "../../../samplers/index.ts";
import type { PredictorCorrectorStep } from "../../../samplers/pc-options.ts";
import { normRatio, update } from "../../../samplers/update.ts";
import type { Attributes, ReferenceCase } from "../case.ts";
import type { NamedValues, Values } from "../compare.ts";
import type { SamplerRunner } from "../samplers.ts";
import { type SdeName, sdeOf } from "../sde.ts";
import { SamplerContext } from "./context.ts";
import { type Blur, discreteVe, mixtureScore } from "./mixture-score.ts";

/** What a network is told of a time and the score as such a network gives it: of itself for VE, through eps for VP. */
function modelOf(c: SamplerContext): { condition: (t: number) => number; score: ScoreFunction } {
  const { attrs } = c;
  const model = attrs.string("model");
  if (model === "ve_continuous")
    return {
      condition: sdeOf(attrs, "vesde").conditionAt,
      score: mixtureScore(c, (sigma) => ({ a: c.engine.ones(sigma.shape), v: square(sigma) })),
    };
  if (model === "ve_discrete") {
    const sde = sdeOf(attrs, "vesde");
    const blurOf = discreteVe(c, sde.discreteSigmas.toReversed());
    return { condition: sde.labelAt, score: mixtureScore(c, (label) => blurOf(cast(label, "i32"))) };
  }
  if (model === "vp_discrete") {
    const sde = sdeOf(attrs, "vpsde");
    const { sqrtAlphasCumprod, sqrtOneMinusAlphasCumprod } = sde.discrete;
    const at = (table: readonly number[], label: Tensor) => sqrtOf(lookUp(c, table, label));
    return { condition: sde.labelAt, score: throughEps(c, (label) => ({ a: label, std: label })) };
  }
  const sde = sdeOf(attrs, model === "vp_continuous" ? "vpsde" : "subvpsde");
  return { condition: sde.conditionAt, score: throughEps(c, (label) => sde.marginal(div(label, 999))) };
}
