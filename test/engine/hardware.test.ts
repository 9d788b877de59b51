/** What of an adapter an engine uses: by options, told in one line where they are wrong. */
import { describe, expect, test } from "vitest";
import { Engine } from "../../engine/engine.ts";
import { optionalFeatures } from "../../engine/hardware.ts";
import type { EngineOptions } from "../../engine/open.ts";
import { add, cast, sum } from "../../engine/ops/index.ts";
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

  test.runIf(engine.device.features.has("shader-f16"))("halves of any number go in pieces", async () => {
    using own = await Engine.create({
      quiet: true,
      poison: true,
      limits: { maxStorageBufferBindingSize: 16384 },
    });
    for (const n of [14412, 14413]) {
      const y = cast(own.full([n], 3), "f16");
      expect(
        (await y.data()).every((v) => v === 3),
        `${n}`,
      ).toBe(true);
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

  test("an odd one counts as the whole vec4s in it", async () => {
    using own = await Engine.create({ quiet: true, limits: { maxStorageBufferBindingSize: 100_007 } });
    expect(own.maxBinding).toBe(100_000);
    const data = Float32Array.from({ length: 25_001 }, (_, i) => i);
    const x = own.tensor(data); // 100,004 bytes
    const y = own.scope(() => add(x, x));
    expect(await y.data()).toEqual(data.map((v) => 2 * v));
    expect(() => sum(x)).toThrow(
      "reduce: x [25001] takes 100004 bytes, this adapter binds at most 100000 bytes at once; use a smaller batch, image or parameter",
    );
    const total = own.scope(() => sum(own.ones([25_000])));
    expect(await total.item()).toBe(25_000);
  });

  test("a tensor as large as a buffer may be has one, though its size class is larger", async () => {
    using own = await Engine.create({ quiet: true, limits: { maxBufferSize: 1_000_000 } });
    const [most, length] = [999_936, 249_000];
    const x = own.full([length], 3);
    expect(own.memory().live).toBe(most);
    expect((await x.data()).every((v) => v === 3)).toBe(true);
    x.dispose();
    own.full([most / 4], 1);
    expect(own.memory()).toMatchObject({ live: most, created: 1 });
    expect(() => own.full([most / 4 + 1], 1)).toThrow(
      `tensor [249985]: out of memory: asked for ${most + 4} bytes, one buffer of this adapter holds at most ${most} bytes; ` +
        "use a smaller batch or image",
    );
    await own.sync();
  });

  test("a workgroup's threads stand in one line, which may be shorter than it may be large", async () => {
    using own = await Engine.create({ quiet: true, limits: { maxComputeWorkgroupSizeX: 256 } });
    const { maxComputeWorkgroupSizeX, maxComputeInvocationsPerWorkgroup } = own.device.limits;
    expect(maxComputeWorkgroupSizeX).toBe(256);
    expect(maxComputeInvocationsPerWorkgroup).toBeGreaterThanOrEqual(256);
    expect(own.hardware.maxWorkgroupSize).toBe(256);
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
    { limits: { maxStorageBufferBindingSize: 4095 } },
    "engine: got limits { maxStorageBufferBindingSize: 4095 }, expected at least 4096 bytes: larger tensors go to kernels " +
      "in pieces of so many",
  ],
  [
    { limits: { maxBufferSize: 100 } },
    "engine: got limits { maxBufferSize: 100 }, expected at least 4096 bytes",
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
