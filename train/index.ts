export { Batches } from "./batches.ts";
export { type Checkpoint, packCheckpoint, readCheckpoint, restore, samplingState } from "./checkpoint.ts";
export { type AnnealedDsmOptions, annealedDsm, type LabelledScore } from "./losses/annealed-dsm.ts";
export { mmdSquared, sampleQuality, slicedWasserstein } from "./metrics/index.ts";
export { geometricSigmas, type SigmaOptions } from "./sigmas.ts";
export { DivergedError, type StepReport, Trainer, type TrainerOptions } from "./trainer.ts";
