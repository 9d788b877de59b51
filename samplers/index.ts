export {
  type AnnealedLangevinOptions,
  annealedLangevin,
  type LabelledScore,
  type SamplerStep,
} from "./annealed-langevin.ts";
export * from "./sde/index.ts";
