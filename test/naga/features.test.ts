/**
 * naga checks a module against the features of its device, so every variant goes to devices with and without f16 and
 * subgroups; Deno's adapters do not list "subgroups" and grant them all the same. With f16, arrays are stored as f16 too.
 */
import { afterAll, describe, expect, test } from "vitest";
import type { DeviceError } from "../../engine/errors.ts";
import { openDevice, wishesOf } from "../../engine/hardware.ts";
import { platform } from "../../engine/platform/index.ts";
import { ProgramCache, withoutDirective } from "../../engine/programs.ts";
import { type Kernel, source, type Variant } from "../../kernels/kernel.ts";
import { allKernels, halvable, showVariant } from "../support/kernels.ts";

const kernels = await allKernels();
/** But for those on matrix units, which WGSL has as an experiment of Dawn's alone. */
const variants = kernels
  .flatMap((kernel) => kernel.variants.map((variant) => ({ kernel, variant })))
  .filter(({ kernel }) => !kernel.matrix);
const halved = variants.filter(({ kernel, variant }) => halvable(kernel, variant).length > 0);

const { gpu } = navigator;
const hasHalf = (await gpu.requestAdapter())?.features.has("shader-f16") === true;
const devices: GPUDevice[] = [];
afterAll(() => {
  for (const device of devices) device.destroy();
});

/** A device with these features and no others. */
async function deviceWith(requiredFeatures: GPUFeatureName[]): Promise<GPUDevice> {
  const adapter = await gpu.requestAdapter();
  const device = await adapter!.requestDevice({ requiredFeatures });
  devices.push(device);
  expect([...device.features]).toEqual(expect.arrayContaining(requiredFeatures));
  return device;
}

/** The variants that naga refuses on this device, with what it says. */
async function refused(
  device: GPUDevice,
  those: readonly { kernel: Kernel; variant: Variant }[],
  halves: typeof halvable,
): Promise<string[]> {
  const faults: string[] = [];
  device.onuncapturederror = (event) => event.preventDefault(); // the module says more
  for (const { kernel, variant } of those) {
    const module = device.createShaderModule({
      code: withoutDirective(source(kernel, variant, halves(kernel, variant))),
    });
    const { messages } = await module.getCompilationInfo();
    faults.push(...messages.map(({ message }) => `${showVariant(kernel, variant)}: ${message}`));
  }
  return faults;
}

describe.each([false, true])("subgroups %s", (subgroups) => {
  const more: GPUFeatureName[] = subgroups ? ["subgroups"] : [];
  const those = variants.filter(({ kernel, variant }) => subgroups || !kernel.subgroups?.(variant));

  test("all variants, without f16", async () => {
    expect(await refused(await deviceWith(more), those, () => [])).toEqual([]);
  });

  test.skipIf(!hasHalf)("all variants, with f16 and every array stored so", async () => {
    expect(await refused(await deviceWith([...more, "shader-f16"]), those, halvable)).toEqual([]);
  });
});

test.skipIf(!hasHalf)("with every array stored as f16, pipelines are made", async () => {
  const { adapter, unlisted, withoutDirective } = await platform.openGpu({ quiet: true });
  const device = await openDevice(adapter, wishesOf({}), unlisted);
  devices.push(device);
  const fail = (error: DeviceError) => {
    throw error;
  };
  const programs = new ProgramCache(device, fail, withoutDirective);
  const all = halved.map(({ kernel, variant }) => programs.find(kernel, variant, halvable(kernel, variant)));
  await programs.compile(all);
  expect(all.filter((p) => p.pipeline)).toHaveLength(halved.length);
});

test("what lacks a feature is refused: the checks above can fail", async () => {
  const subgroup: Kernel = {
    ...kernels[0]!,
    params: {},
    lib: () => [],
    bindings: () => ({ y: "read_write u32" }),
    main: () => "@compute @workgroup_size(8) fn main() { y[0] = subgroupAdd(1u); }",
  };
  const those = [{ kernel: subgroup, variant: {} }];
  expect(await refused(await deviceWith([]), those, () => [])).toHaveLength(1);
  expect(await refused(await deviceWith(["subgroups"]), those, () => [])).toEqual([]);
  if (!hasHalf) return;
  expect(await refused(await deviceWith([]), halved.slice(0, 3), halvable)).toHaveLength(3);
});
