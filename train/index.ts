export { Batches } from "./batches.ts";
export { type Checkpoint, packCheckpoint, readCheckpoint, restore, samplingState } from "./checkpoint.ts";
export { type AnnealedDsmOptions, annealedDsm } from "./losses/annealed-dsm.ts";
export { type NoisyCrossEntropyOptions, noisyCrossEntropy } from "./losses/cross-entropy.ts";
export { ddpmLoss } from "./losses/ddpm.ts";
export type { Denoiser, ReductionOptions } from "./losses/denoising.ts";
export { type LabelDraws, labelDraws, type TimeDraws, timeDraws } from "./losses/draws.ts";
export { type SdeLossOptions, sdeLoss } from "./losses/sde.ts";
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
  type Moments,
  manifoldFigures,
  mmdSquared,
  momentsOf,
  type Neighbours,
  type NoisyAccuracy,
  type NoisyAccuracyOptions,
  nearestNeighbours,
  noisyAccuracy,
  sampleQuality,
  slicedWasserstein,
} from "./metrics/index.ts";
export {
  type AnnealedOptions,
  annealed,
  type ClassificationOptions,
  classification,
  type Objective,
  type SdeObjectiveOptions,
  sdeObjective,
} from "./objectives/index.ts";
export { geometricSigmas, type SigmaOptions } from "./sigmas.ts";
export { DivergedError, type StepReport, Trainer, type TrainerOptions } from "./trainer.ts";
