export {
  type Binding,
  type Cost,
  defineKernel,
  type Groups,
  type Hardware,
  type Kernel,
  type KernelSpec,
  type Lanewise,
  linearGroups,
  linearMain,
  type MatrixUnit,
  type ParamType,
  source,
  type Variant,
  type VariantValue,
} from "../kernels/kernel.ts";
export { type GradOptions, grad } from "./autograd.ts";
export type { PrepareOptions, Trial, Tuned, TuneOptions, Tuning } from "./autotune.ts";
export type { MemoryReport } from "./buffers.ts";
export type { Capture, CaptureOptions } from "./capture.ts";
export type { Autotune, Tunable } from "./choices.ts";
export { boundBytes, flopsOf, type Launch } from "./dry.ts";
export { Engine } from "./engine.ts";
export { DeviceError, UsageError } from "./errors.ts";
export {
  type DeviceOptions,
  defaultLimits,
  type LimitName,
  type LimitOverrides,
  type OptionalFeature,
  optionalFeatures,
} from "./hardware.ts";
export {
  defineOp,
  type Inputs,
  type Op,
  type OpEvent,
  type OpSpec,
  type Saves,
  type Vjp,
  type VjpContext,
} from "./op.ts";
export type { EngineOptions } from "./open.ts";
export * from "./ops/index.ts";
export { Adam, type AdamOptions } from "./optim/adam.ts";
export { clipGradients } from "./optim/clip.ts";
export { Ema, type EmaOptions } from "./optim/ema.ts";
export { Optimizer, type OptimizerOptions, type OptimizerState } from "./optim/optimizer.ts";
export { Sgd, type SgdOptions } from "./optim/sgd.ts";
export { type Array64, array64 } from "./oracle/array.ts";
export type { DriverReport, OpenOptions } from "./platform/platform.ts";
export { type Profile, type ProfileOptions, type ProfileRow, profile } from "./profiler.ts";
export { type Affine, type Draw, type DrawSource, type Purpose, rand, randbits, randn } from "./random.ts";
export { measureRoofline, type Roofline } from "./roofline.ts";
export {
  type FloatEntry,
  type IntEntry,
  readSafetensors,
  type Safetensors,
  type SafetensorsEntry,
  type WritableEntry,
  writeSafetensors,
} from "./safetensors.ts";
export { Scalar, type ScalarLike } from "./scalar.ts";
export { type Dtype, type HostData, type Shape, Tensor } from "./tensor.ts";
export { linearUpdate, type NormsOver, normRatio, type UpdateCoefficients } from "./updates.ts";
export { findNonFinite, type OpReport, type VerifyOptions, type VerifyReport, verify } from "./verify.ts";
