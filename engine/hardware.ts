import type { Hardware } from "../kernels/kernel.ts";
import { DeviceError } from "./errors.ts";
import type { DriverReport } from "./platform/platform.ts";

/** Limits an engine may be asked to stay below, to imitate a small adapter. */
export type LimitOverrides = Partial<Record<LimitName, number>>;

/** The limits Stein raises from WebGPU's low defaults to what the adapter allows. */
const raised = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
] as const;
export type LimitName = (typeof raised)[number];

const wanted: readonly GPUFeatureName[] = ["timestamp-query", "shader-f16", "subgroups"];

/** Opens a device with every limit and feature Stein can use. Throws DeviceError when the adapter refuses. */
export async function openDevice(adapter: GPUAdapter, overrides: LimitOverrides = {}): Promise<GPUDevice> {
  const requiredLimits: Record<string, number> = {};
  for (const name of raised)
    requiredLimits[name] = Math.min(overrides[name] ?? Infinity, adapter.limits[name]);
  const requiredFeatures = wanted.filter((f) => adapter.features.has(f));
  try {
    return await adapter.requestDevice({ requiredLimits, requiredFeatures });
  } catch (cause) {
    throw new DeviceError(`engine: the adapter refused a device with its own limits: ${String(cause)}`);
  }
}

export function describeHardware(device: GPUDevice, driver: DriverReport, maxBinding: number): Hardware {
  return {
    kind: driver.software ? "cpu" : "gpu",
    maxWorkgroupSize: device.limits.maxComputeInvocationsPerWorkgroup,
    maxWorkgroupStorage: device.limits.maxComputeWorkgroupStorageSize,
    maxBinding,
    subgroups: device.features.has("subgroups"),
  };
}
