export {
  type AnnealedLangevinOptions,
  annealedLangevin,
  type SamplerStep,
} from "./annealed-langevin.ts";
export { asScore, type ScoreFunction } from "./score.ts";
export * from "./sde/index.ts";
