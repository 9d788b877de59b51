export {
  type AnnealedLangevinOptions,
  annealedLangevin,
  type LabelledScore,
  type SamplerStep,
} from "./annealed-langevin.ts";
