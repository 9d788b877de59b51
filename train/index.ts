export { Batches, type BatchesOptions } from "./batches.ts";
export { type Checkpoint, packCheckpoint, readCheckpoint, restore, samplingState } from "./checkpoint.ts";
export { Evaluation, type EvaluationOptions } from "./evaluation.ts";
export { type AnnealedDsmOptions, annealedDsm } from "./losses/annealed-dsm.ts";
export { type AnnealedImplicitOptions, annealedImplicit } from "./losses/annealed-implicit.ts";
export { type NoisyCrossEntropyOptions, noisyCrossEntropy } from "./losses/cross-entropy.ts";
export { ddpmLoss } from "./losses/ddpm.ts";
export type { Denoiser, ReductionOptions } from "./losses/denoising.ts";
export { type LabelDraws, labelDraws, type TimeDraws, timeDraws } from "./losses/draws.ts";
export { type DsmOptions, dsmAt } from "./losses/dsm.ts";
export { hyvarinenLoss, hyvarinenTerms } from "./losses/hyvarinen.ts";
export { type ImplicitMatching, type ImplicitTerms, implicitLoss, type ScoreAt } from "./losses/implicit.ts";
export type { LadderOptions } from "./losses/perturb.ts";
export {
  onSphere,
  type Projection,
  type ProjectionOptions,
  projectionNames,
  projections,
} from "./losses/projections.ts";
export { type SdeLossOptions, sdeLoss } from "./losses/sde.ts";
export { type SlicedOptions, slicedLoss, slicedTerms } from "./losses/sliced.ts";
export { smldLoss } from "./losses/smld.ts";
export { neededBytes, type StepMemory, stepMemory } from "./memory.ts";
export {
  type Copying,
  copying,
  frechetDistance,
  type InceptionScore,
  inceptionScore,
  type KernelDistance,
  type KernelDistanceOptions,
  kernelDistance,
  type ManifoldFigures,
  type MmdOptions,
  type Moments,
  manifoldFigures,
  mmdSquared,
  momentsOf,
  type Neighbours,
  type NoisyAccuracy,
  type NoisyAccuracyOptions,
  nearestNeighbours,
  noisyAccuracy,
  type SampleQuality,
  type SampleQualityOptions,
  type SlicedWassersteinOptions,
  sampleQuality,
  slicedWasserstein,
} from "./metrics/index.ts";
export {
  type AnnealedOptions,
  annealed,
  type ClassificationOptions,
  classification,
  type ImplicitName,
  implicitNames,
  type MatchingName,
  matchingNames,
  type Objective,
  type SdeObjectiveOptions,
  type SlicingOptions,
  sdeObjective,
  type UnperturbedOptions,
  unperturbed,
} from "./objectives/index.ts";
export { geometricSigmas, type SigmaOptions } from "./sigmas.ts";
export * from "./techniques/index.ts";
export { DivergedError, type StepReport, Trainer, type TrainerOptions } from "./trainer.ts";
