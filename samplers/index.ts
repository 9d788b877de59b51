export {
  type AnnealedLangevinOptions,
  annealedLangevin,
  type SamplerStep,
} from "./annealed-langevin.ts";
export { type CorrectorName, correctors } from "./correctors/index.ts";
export * from "./ode/index.ts";
export { type PredictorCorrectorResult, predictorCorrector } from "./pc.ts";
export type { PredictorCorrectorOptions, PredictorCorrectorStep } from "./pc-options.ts";
export { type PredictorName, predictors } from "./predictors/index.ts";
export { asScore, type ScoreFunction } from "./score.ts";
export * from "./sde/index.ts";
