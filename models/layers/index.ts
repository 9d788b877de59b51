export { type ActivationName, activation, activationNames, requireActivation } from "./activation.ts";
export { AttnBlock, type AttnOptions, groupsFor } from "./attention.ts";
export { Combine, type CombineMethod } from "./combine.ts";
export {
  ConditionalInstanceNorm2d,
  ConditionalInstanceNorm2dPlus,
  ConditionalNoneNorm2d,
  type ConditionalNormOptions,
  ConditionalVarianceNorm2d,
  Embedding,
} from "./conditional-norms.ts";
export { Conv2d, type Conv2dOptions, type ConvInput } from "./conv.ts";
export { Dropout } from "./dropout.ts";
export { Fir } from "./fir.ts";
export { Linear, NIN } from "./linear.ts";
export { type MakeNorm, Norm, type NormInput } from "./norm.ts";
export {
  GroupNorm,
  type GroupNormOptions,
  InstanceNorm2d,
  InstanceNorm2dPlus,
  LayerNorm,
  layerNorm,
  NoneNorm2d,
  type PlainNormName,
  plainNorm,
  plainNormNames,
  VarianceNorm2d,
} from "./plain-norms.ts";
export {
  ConvMeanPool,
  type ConvMeanPoolOptions,
  MeanPoolConv,
  type PooledConvOptions,
  pixelShuffle,
  UpsampleConv,
} from "./pooled-conv.ts";
export {
  Downsample,
  naiveDownsample,
  naiveUpsample,
  type ResampleOptions,
  type Resampler,
  resampler,
  Upsample,
} from "./resample.ts";
export { GaussianFourierProjection, timestepEmbedding } from "./time-embedding.ts";
export { perChannel } from "./variance.ts";
export type { WeightOptions } from "./weights.ts";
