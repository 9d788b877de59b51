export { type AnnealedOptions, annealed } from "./annealed.ts";
export { type ClassificationOptions, classification } from "./classification.ts";
export type { Objective } from "./objective.ts";
export { type SdeObjectiveOptions, sdeObjective } from "./sde.ts";
