/** What of an adapter an engine uses: by options, told in one line where they are wrong. */
import { describe, expect, test } from "vitest";
import { Engine } from "../../engine/engine.ts";
import { optionalFeatures } from "../../engine/hardware.ts";
import type { EngineOptions } from "../../engine/open.ts";
import { add } from "../../engine/ops/index.ts";
import { engine } from "../support/engine.ts";

const used = (e: Engine) => optionalFeatures.filter((name) => e.device.features.has(name));

describe("features", () => {
  test("none, or those of a list, and what the adapter lacks is left", async () => {
    const all = used(engine);
    for (const features of ["none", [], ["subgroups"], [...optionalFeatures]] as const) {
      using own = await Engine.create({ quiet: true, features });
      const asked: readonly string[] = features === "none" ? [] : features;
      if (!process.env.STEIN_LIMITS) expect(used(own)).toEqual(all.filter((name) => asked.includes(name)));
      else for (const name of used(own)) expect(asked).toContain(name);
      expect(await engine.ones([1]).item()).toBe(1);
    }
  });

  test("without shader-f16 mixed precision is refused", async () => {
    using own = await Engine.create({ quiet: true, features: ["timestamp-query"] });
    expect(() => own.autocast(() => 1)).toThrow("this adapter lacks shader-f16; train with precision: f32");
  });
});

describe("limits", () => {
  test("what is below WebGPU's defaults counts for sizes alone", async () => {
    const limits = { maxStorageBufferBindingSize: 1 << 16, maxComputeInvocationsPerWorkgroup: 64 };
    using own = await Engine.create({ quiet: true, limits });
    expect(own.maxBinding).toBe(1 << 16);
    expect(own.hardware.maxWorkgroupSize).toBe(256);
    const y = own.scope(() => add(own.ones([40_000]), own.ones([40_000]))); // in three pieces
    expect((await y.data()).every((v) => v === 2)).toBe(true);
  });
});

test.each<[EngineOptions, string]>([
  [
    { features: ["shader-f61"] } as unknown as EngineOptions,
    'engine: got features ["shader-f61"], expected "all", "none" or a list of timestamp-query, shader-f16, subgroups, chromium-experimental-subgroup-matrix',
  ],
  [
    { features: "some" } as unknown as EngineOptions,
    'engine: got features "some", expected "all", "none" or a list of timestamp-query, shader-f16, subgroups, chromium-experimental-subgroup-matrix',
  ],
  [
    { limits: { maxBufferSize: 0.5 } },
    'engine: got limits { maxBufferSize: 0.5 }, expected "default" or whole numbers from 1 for maxBufferSize, ' +
      "maxStorageBufferBindingSize, maxStorageBuffersPerShaderStage, maxComputeWorkgroupStorageSize, " +
      "maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX, maxComputeWorkgroupSizeY, maxComputeWorkgroupSizeZ",
  ],
  [
    { limits: { maxBindGroups: 2 } } as unknown as EngineOptions,
    'engine: got limits { maxBindGroups: 2 }, expected "default" or whole numbers from 1 for maxBufferSize, ' +
      "maxStorageBufferBindingSize, maxStorageBuffersPerShaderStage, maxComputeWorkgroupStorageSize, " +
      "maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX, maxComputeWorkgroupSizeY, maxComputeWorkgroupSizeZ",
  ],
])("%j is refused", async (options, message) => {
  await expect(Engine.create(options)).rejects.toThrow(message);
});
