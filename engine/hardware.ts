import type { Hardware, MatrixUnit } from "../kernels/kernel.ts";
import { DeviceError, UsageError } from "./errors.ts";
import type { DriverReport } from "./platform/platform.ts";

/**
 * The limits Stein raises to what the adapter allows, at what WebGPU grants everywhere (its specification, "Limits"):
 * no adapter has less.
 */
export const defaultLimits = {
  maxBufferSize: 256 * 2 ** 20,
  maxStorageBufferBindingSize: 128 * 2 ** 20,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupStorageSize: 16_384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupSizeY: 256,
  maxComputeWorkgroupSizeZ: 64,
} as const;
/** Names of those limits, as WebGPU has them. */
export type LimitName = keyof typeof defaultLimits;

/** Limits an engine may be asked to stay below, to imitate a small adapter. */
export type LimitOverrides = Partial<Record<LimitName, number>>;

/** What Stein uses where the adapter has it. */
export const optionalFeatures = [
  "timestamp-query",
  "shader-f16",
  "subgroups",
  "chromium-experimental-subgroup-matrix",
] as const;
/** One of them. */
export type OptionalFeature = (typeof optionalFeatures)[number];

/** What of an adapter a device uses. */
export interface DeviceOptions {
  /**
   * Stay below these limits, to imitate a smaller adapter; "default": below those that every adapter has. A value below
   * WebGPU's defaults counts for the sizes of buffers and bindings alone, which are 4096 bytes at least. What the adapter
   * allows unless given.
   */
  limits?: LimitOverrides | "default";
  /** Which optional features to use, of those the adapter has; "all" unless given. */
  features?: "all" | "none" | readonly OptionalFeature[];
}

/** What of an adapter is to be used. */
interface Wishes {
  readonly limits: LimitOverrides;
  readonly features: readonly OptionalFeature[];
}

/** Throws UsageError for limits and features that Stein does not know. */
export function wishesOf({ limits = {}, features = "all" }: DeviceOptions): Wishes {
  return {
    limits: limits === "default" ? defaultLimits : requireLimits(limits),
    features: features === "all" ? optionalFeatures : features === "none" ? [] : requireFeatures(features),
  };
}

/** The smallest piece in which a tensor goes to a kernel: see ranges.ts. */
const LEAST_BYTES = 4096;

function requireLimits(limits: LimitOverrides): LimitOverrides {
  const known = Object.keys(defaultLimits);
  for (const [name, value] of Object.entries(limits))
    if (!known.includes(name) || !(Number.isSafeInteger(value) && value > 0))
      throw new UsageError(
        `engine: got limits { ${name}: ${value} }, expected "default" or whole numbers from 1 for ${known.join(", ")}`,
      );
  for (const name of ["maxBufferSize", "maxStorageBufferBindingSize"] as const)
    if ((limits[name] ?? Infinity) < LEAST_BYTES)
      throw new UsageError(
        `engine: got limits { ${name}: ${limits[name]} }, expected at least ${LEAST_BYTES} bytes: larger tensors go to ` +
          "kernels in pieces of so many",
      );
  return limits;
}

function requireFeatures(features: readonly OptionalFeature[]): readonly OptionalFeature[] {
  if (!Array.isArray(features) || features.some((f) => !optionalFeatures.includes(f)))
    throw new UsageError(
      `engine: got features ${JSON.stringify(features)}, expected "all", "none" or a list of ${optionalFeatures.join(", ")}`,
    );
  return features;
}

const roundedDown = (bytes: number, to: number): number => Math.floor(bytes / to) * to;

/**
 * Bytes of a tensor that a kernel can see at once, in whole vec4s: of a limit such as 2 GiB - 1, which adapters have, the
 * last bytes would be none that a binding may have or that a kernel finds.
 */
export const largestBinding = ({ limits }: GPUDevice, wished: LimitOverrides): number =>
  roundedDown(
    Math.min(limits.maxStorageBufferBindingSize, wished.maxStorageBufferBindingSize ?? Infinity),
    16,
  );

/** Bytes of the largest buffer, in steps of the pool's sizes. */
export const largestBuffer = ({ limits }: GPUDevice, wished: LimitOverrides): number =>
  roundedDown(Math.min(limits.maxBufferSize, wished.maxBufferSize ?? Infinity), 256);

/**
 * Opens a device with what the adapter has of all that is wished, be it listed or not. Throws DeviceError when the adapter
 * refuses.
 */
export async function openDevice(
  adapter: GPUAdapter,
  { limits, features }: Wishes,
  unlisted: readonly GPUFeatureName[] = [],
): Promise<GPUDevice> {
  const requiredLimits: Record<string, number> = {};
  for (const name of Object.keys(defaultLimits) as LimitName[])
    requiredLimits[name] = Math.min(limits[name] ?? Infinity, adapter.limits[name]);
  const requiredFeatures = features.filter(
    (f) => adapter.features.has(f as GPUFeatureName) || unlisted.includes(f as GPUFeatureName),
  );
  try {
    return await adapter.requestDevice({
      requiredLimits,
      requiredFeatures: requiredFeatures as GPUFeatureName[],
    });
  } catch (cause) {
    throw new DeviceError(`engine: the adapter refused a device with its own limits: ${String(cause)}`);
  }
}

export function describeHardware(
  device: GPUDevice,
  adapter: GPUAdapter,
  driver: DriverReport,
  maxBinding: number,
): Hardware {
  const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX, maxComputeWorkgroupStorageSize } =
    device.limits;
  return {
    kind: driver.software ? "cpu" : "gpu",
    writesOut: !driver.software,
    maxWorkgroupSize: Math.min(maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX), // all stand in one line
    maxWorkgroupStorage: maxComputeWorkgroupStorageSize,
    maxBinding,
    maxStorageBuffers: device.limits.maxStorageBuffersPerShaderStage,
    subgroups: device.features.has("subgroups"),
    subgroupSize: subgroupSize(adapter),
    matrix: matrixUnit(device, adapter),
  };
}

/** Lanes of a subgroup, if all have as many. */
function subgroupSize({ info }: GPUAdapter): number | undefined {
  const { subgroupMinSize, subgroupMaxSize } = info as SubgroupInfo;
  return subgroupMinSize === subgroupMaxSize ? subgroupMinSize : undefined;
}

/** What the types of WebGPU do not know yet. */
interface SubgroupInfo {
  readonly subgroupMinSize?: number;
  readonly subgroupMaxSize?: number;
}

/** Dawn's report of matrix units. */
interface MatrixInfo {
  readonly subgroupMatrixConfigs?: Iterable<{
    readonly componentType: string;
    readonly resultComponentType: string;
    readonly M: number;
    readonly N: number;
    readonly K: number;
  }>;
}

/** The largest unit for f16 with sums in f32, where subgroups have one size. */
function matrixUnit({ features }: GPUDevice, adapter: GPUAdapter): MatrixUnit | undefined {
  const needed = ["shader-f16", "subgroups", "chromium-experimental-subgroup-matrix"];
  const { subgroupMatrixConfigs = [] } = adapter.info as MatrixInfo;
  const lanes = subgroupSize(adapter);
  if (!needed.every((name) => features.has(name)) || !lanes) return undefined;
  return [...subgroupMatrixConfigs]
    .filter((c) => c.componentType === "f16" && c.resultComponentType === "f32")
    .map(({ M, N, K }) => ({ m: Number(M), n: Number(N), k: Number(K), lanes }))
    .sort((a, b) => b.m * b.n * b.k - a.m * a.n * a.k)[0];
}
