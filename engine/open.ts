/// <reference types="@webgpu/types" preserve="true" />
import { type Autotune, autotuneMode, Choices } from "./choices.ts";
import { type DeviceOptions, type LimitOverrides, openDevice, wishesOf } from "./hardware.ts";
import { openCache, type TextCache } from "./platform/cache.ts";
import { platform } from "./platform/index.ts";
import type { OpenedGpu, OpenOptions } from "./platform/platform.ts";
import { fileName, readTuning, tunedFor } from "./tuning-file.ts";

/** What Engine.create takes. */
export interface EngineOptions extends OpenOptions, DeviceOptions {
  /** Bytes that tensors may hold at once; by default what the machine can be expected to bear. */
  memoryBudget?: number;
  /** Fill every new tensor with NaN first, so that a kernel that leaves a gap is found. For tests. */
  poison?: boolean;
  /** Who chooses between ways to compute an op: see choices.ts. "cached", or what STEIN_AUTOTUNE says. */
  autotune?: Autotune;
}

/** What an engine is made of. */
export interface Opened {
  readonly device: GPUDevice;
  readonly gpu: OpenedGpu;
  /** Bytes that tensors may hold at once. */
  readonly budget: number;
  /** To stay below. */
  readonly limits: LimitOverrides;
  readonly poison: boolean;
  readonly choices: Choices;
  /** Where choices are kept. */
  readonly cache: TextCache;
}

/** Opens an adapter and a device, and reads what was measured on them. Throws as Engine.create does. */
export async function open(options: EngineOptions): Promise<Opened> {
  const wishes = wishesOf(options);
  const mode = autotuneMode(options.autotune);
  const gpu = await platform.openGpu({
    dawnFeatures: ["-timestamp_quantization", "allow_unsafe_apis", "vulkan_enable_f16_on_nvidia"],
    ...options,
  });
  const { adapter, driver, systemMemory, unlisted } = gpu;
  const device = await openDevice(adapter, wishes, unlisted);
  const budget = options.memoryBudget ?? (driver.software ? systemMemory * 0.75 : Infinity);
  const cache = await openCache();
  const of = tunedFor(device, driver);
  const known = mode === "off" ? new Map() : readTuning(await cache.read(fileName(of)), of);
  const { poison = false } = options;
  return { device, gpu, budget, limits: wishes.limits, poison, choices: new Choices(mode, known), cache };
}
