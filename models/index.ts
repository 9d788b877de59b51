export * from "./blocks/index.ts";
export {
  type Classifier,
  logProbGrad,
  type Noising,
  type NoisyClassifier,
  throughNoise,
} from "./classifier.ts";
export {
  buildClassifier,
  type ClassifierChoices,
  type ClassifierImageOptions,
  type ClassifierName,
  type ClassifierOptions,
  classifierNames,
} from "./classifier-net.ts";
export { ClassifierSmall, type ClassifierSmallOptions } from "./classifier-small.ts";
export { fromPyTorch, type NetworkValues, type PyTorchExport } from "./convert.ts";
export { Ddpm, type DdpmOptions } from "./ddpm.ts";
export { type InceptionOptions, InceptionV3 } from "./inception.ts";
export { loadInception } from "./inception-weights.ts";
export { Init } from "./init.ts";
export * from "./layers/index.ts";
export { countParameters, Module, type State } from "./module.ts";
export { Ncsn, NcsnDeeper, type NcsnOptions } from "./ncsn.ts";
export { NcsnSmall, type NcsnSmallOptions } from "./ncsn-small.ts";
export {
  embeddingTypes,
  NcsnPP,
  type NcsnPPOptions,
  progressiveCombineTypes,
  progressiveInputTypes,
  progressiveTypes,
  resblockTypes,
} from "./ncsnpp.ts";
export { Ncsnv2, Ncsnv2Deeper, Ncsnv2Deepest, type Ncsnv2Options, ncsnv2For } from "./ncsnv2.ts";
export type { ScoreUNetOptions } from "./options.ts";
export {
  asPredictor,
  type Coefficient,
  epsToScore,
  type Network,
  type Output,
  type Prediction,
  type Predictor,
  scoreToEps,
  scoreToX0,
  type Training,
  thatPredicts,
  x0ToScore,
} from "./prediction.ts";
export type { RefineNetOptions } from "./refine-net.ts";
export {
  buildScoreNet,
  type ImageOptions,
  type NetworkOptions,
  type RefineNetChoices,
  type ScoreNet,
  type ScoreNetName,
  type ScoreNetOptions,
  scoreNetNames,
  type UNetChoices,
} from "./score-net.ts";
export {
  Mlp,
  SmallScore,
  type SmallScoreOptions,
  ToyEnergy,
  ToyNoiseScore,
  ToyScore,
  type ToyScoreInputs,
  type ToyScoreOptions,
} from "./toy/index.ts";
export {
  type ChannelStatistics,
  cifar10Statistics,
  WideResNet,
  type WideResNetOptions,
} from "./wide-resnet.ts";
