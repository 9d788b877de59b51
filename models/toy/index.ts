export { ToyEnergy } from "./energy.ts";
export { Mlp, ToyScore, type ToyScoreInputs, type ToyScoreOptions } from "./mlp.ts";
export { ToyNoiseScore } from "./noise-score.ts";
export { SmallScore, type SmallScoreOptions } from "./small-score.ts";
