export { attention } from "./attention.ts";
export {
  add,
  div,
  equal,
  greater,
  greaterEqual,
  less,
  lessEqual,
  maximum,
  minimum,
  mul,
  sub,
} from "./binary.ts";
export { type CastType, cast } from "./cast.ts";
export { clamp } from "./clamp.ts";
export { combine } from "./combine.ts";
export type { WeightGradAttrs } from "./conv-problems.ts";
export type { ConvAttrs, ConvOptions, Padding, Pair } from "./conv-shapes.ts";
export {
  type ConvTransposeOptions,
  conv2d,
  conv2dInputGrad,
  conv2dWeightGrad,
  convTranspose2d,
  type Epilogue,
  type InputGradAttrs,
} from "./conv2d.ts";
export { dropout } from "./dropout.ts";
export { dsmLoss, dsmPerturb } from "./dsm.ts";
export type { Operand } from "./elementwise.ts";
export { embedding, oneHot } from "./embedding.ts";
export { max, min } from "./extrema.ts";
export { type MatmulOptions, matmul } from "./matmul.ts";
export {
  type AffineName,
  activate,
  groupNorm,
  instanceNorm,
  instanceNormPlus,
  type NormOptions,
} from "./norm.ts";
export { avgPool2d, maxPool2d, type PoolOptions } from "./pool.ts";
export { pow } from "./pow.ts";
export { broadcastTo, mean, perSample, type ReduceOptions, reshape, sum, sumEach } from "./reduce.ts";
export { resizeBilinear, resizeNearest } from "./resize.ts";
export { scale } from "./scale.ts";
export { chunk, concat, flip, narrow, type Pads, pad, permute, slice, transpose } from "./shape.ts";
export { crossEntropy, logSoftmax, logsumexp, softmax } from "./softmax.ts";
export { stack } from "./stack.ts";
export * from "./unary.ts";
export { type Upfirdn2dOptions, upfirdn2d } from "./upfirdn2d.ts";
export { where } from "./where.ts";
