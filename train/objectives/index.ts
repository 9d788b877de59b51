export { type AnnealedOptions, annealed } from "./annealed.ts";
export { type ClassificationOptions, classification } from "./classification.ts";
export {
  type ImplicitName,
  implicitNames,
  type MatchingName,
  matchingNames,
  type SlicingOptions,
} from "./matching.ts";
export type { Objective } from "./objective.ts";
export { type SdeObjectiveOptions, sdeObjective } from "./sde.ts";
export { type UnperturbedOptions, unperturbed } from "./unperturbed.ts";
