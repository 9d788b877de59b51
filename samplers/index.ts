export { type AnnealedInpaintingOptions, annealedInpainting } from "./annealed-inpainting.ts";
export { type AnnealedInterpolationOptions, annealedInterpolation } from "./annealed-interpolation.ts";
export { type AnnealedLangevinOptions, annealedLangevin } from "./annealed-langevin.ts";
export type { AnnealingOptions, SamplerStep } from "./annealing.ts";
export type { ChainOptions, ChainStep } from "./chain.ts";
export { type ConsistentAnnealingOptions, consistentAnnealing } from "./consistent.ts";
export * from "./controllable/index.ts";
export { type Corrector, type CorrectorName, correctors } from "./correctors/index.ts";
export { type DdimOptions, type DdimProcess, type DdimStep, ddim, ddimSteps, ddpmChain } from "./ddim.ts";
export {
  type Churn,
  type EdmOptions,
  type EdmSchedule,
  type EdmStep,
  edm,
  edmSigmas,
} from "./edm.ts";
export type { Energy } from "./energy.ts";
export { type HmcOptions, hmc } from "./hmc.ts";
export { type LangevinOptions, langevin } from "./langevin.ts";
export { type MalaOptions, mala } from "./mala.ts";
export type { MetropolisOptions, MetropolisResult } from "./metropolis-chain.ts";
export type { Fusion } from "./noise.ts";
export * from "./ode/index.ts";
export { type PredictorCorrectorResult, predictorCorrector } from "./pc.ts";
export type { PredictorCorrectorOptions, PredictorCorrectorStep } from "./pc-options.ts";
export { type Predictor, type PredictorName, predictors, type Step } from "./predictors/index.ts";
export { asScore, type ScoreFunction } from "./score.ts";
export * from "./sde/index.ts";
