import { afterEach, expect, test, vi } from "vitest";
import { platform } from "../../engine/platform/index.ts";
import type { Kernel } from "../../kernels/kernel.ts";
import { brokenKernel } from "../support/broken.ts";
import { engine } from "../support/engine.ts";

afterEach(() => vi.restoreAllMocks());

test("the engine stands on Deno's own WebGPU", () => {
  expect(platform.name).toBe("deno");
  expect(engine.device).toBeInstanceOf(GPUDevice);
  expect(engine.driver.source).toBe("system");
  expect(engine.hardware.subgroups).toBe(true); // both software drivers have them
});

test("no wait naps: that is for Dawn's polling, and Deno asks every 10 ms by itself", async () => {
  const nap = vi.spyOn(Atomics, "wait");
  const x = engine.tensor([1, 2, 3]);
  expect([...(await x.data())]).toEqual([1, 2, 3]);
  await engine.sync();
  expect(nap).not.toHaveBeenCalled();
  x.dispose();
});

test("a shader's error is one line: kernel, variant, line, complaint and text", async () => {
  const broken = brokenKernel("shifted(1.0)");
  const program = engine.programs.find(broken as unknown as Kernel, { size: 8 });
  const error = await engine.programs.compile([program]).catch((e) => e);
  await engine.sync().catch(() => {}); // the module reported itself, too
  expect(error).toMatchObject({ name: "DeviceError", kernel: "broken", line: 7 });
  expect(error.message).toBe(
    'broken {"size":8}: WGSL line 7: no definition in scope for identifier: `shifted`; unknown identifier: ' +
      "y[id.x] = shifted(1.0);",
  );
});
