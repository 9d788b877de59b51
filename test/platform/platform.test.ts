import { afterEach, expect, test, vi } from "vitest";
import { platform as browser } from "../../engine/platform/browser.ts";
import { autotuneVariable, openCache } from "../../engine/platform/cache.ts";
import { platform as deno } from "../../engine/platform/deno.ts";
import { announce, type OpenOptions, reportDriver } from "../../engine/platform/platform.ts";
import { readTar } from "../../engine/platform/tar.ts";

/** An adapter as far as its report goes. */
const adapterOf = (info: Partial<GPUAdapterInfo>) =>
  ({
    info: { vendor: "", architecture: "", device: "", description: "", isFallbackAdapter: false, ...info },
  }) as GPUAdapter;

const lavapipe = adapterOf({
  vendor: "mesa",
  architecture: "software",
  device: "llvmpipe-llvm-15-0-6-256-bits-",
  description: "llvmpipe: Mesa 25.0.7 (LLVM 15.0.6) 0.0.1",
  isFallbackAdapter: true,
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
});

test("a software driver is reported as one, by its flag or by its name", () => {
  expect(reportDriver(lavapipe, "system")).toMatchInlineSnapshot(`
    {
      "architecture": "software",
      "description": "llvmpipe: Mesa 25.0.7 (LLVM 15.0.6) 0.0.1",
      "device": "llvmpipe-llvm-15-0-6-256-bits-",
      "notice": "stein: no GPU found; running on llvmpipe: Mesa 25.0.7 (LLVM 15.0.6) 0.0.1 (system software driver): correct, but slow",
      "software": true,
      "source": "system",
      "vendor": "mesa",
    }
  `);
  for (const device of ["SwiftShader Device (Subzero)", "llvmpipe", "Microsoft Basic Render Driver"]) {
    expect(reportDriver(adapterOf({ device }), "system").software, device).toBe(true);
  }
  for (const device of ["NVIDIA H200", "Apple M1 Max", "Intel(R) Arc(tm) A770"]) {
    const report = reportDriver(adapterOf({ device }), "system");
    expect(report.software, device).toBe(false);
    expect(report.notice, device).toBeUndefined();
  }
});

test("the notice is printed once, on stderr, and not when quiet", () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  const report = reportDriver(lavapipe, "system");
  announce(report, true);
  expect(warn).not.toHaveBeenCalled();
  announce(report);
  announce(report);
  expect(warn.mock.calls).toEqual([[report.notice]]);
  warn.mockRestore();
});

test("a browser opens its adapter, by high performance unless told", async () => {
  const requestAdapter = vi.fn(async () => adapterOf({ vendor: "apple", architecture: "metal-3" }));
  vi.stubGlobal("navigator", { gpu: { requestAdapter } });
  const { adapter, driver, keepAlive, systemMemory } = await browser.openGpu({ quiet: true });
  expect(driver).toMatchObject({ source: "browser", software: false, vendor: "apple" });
  expect(keepAlive).toContain(adapter);
  expect(systemMemory).toBeGreaterThan(0);
  await browser.openGpu({ powerPreference: "low-power" });
  expect(requestAdapter.mock.calls).toEqual([
    [{ powerPreference: "high-performance" }],
    [{ powerPreference: "low-power" }],
  ]);
});

test("a browser that cannot open one says why", async () => {
  const open = (host: { gpu?: unknown; secure?: boolean }, options: OpenOptions = {}) => {
    vi.stubGlobal("navigator", { gpu: host.gpu });
    vi.stubGlobal("isSecureContext", host.secure ?? true);
    return browser.openGpu(options);
  };
  const offering = (adapter: GPUAdapter | null) => ({ requestAdapter: async () => adapter });

  await expect(open({ secure: false })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[DeviceError: openGpu: WebGPU is hidden from this page; serve it over https or from localhost]`,
  );
  await expect(open({})).rejects.toThrowErrorMatchingInlineSnapshot(
    `[DeviceError: openGpu: this browser has no WebGPU; use Chrome or Edge 113, Firefox 141, Safari 26 or later]`,
  );
  await expect(open({ gpu: offering(null) })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[DeviceError: openGpu: the browser has WebGPU but offers no adapter; turn on graphics acceleration in its settings, update the graphics driver, or start Chrome with --enable-unsafe-webgpu (chrome://gpu says what is missing)]`,
  );
  await expect(
    open(
      { gpu: offering(adapterOf({ vendor: "apple", architecture: "metal-3" })) },
      { adapterName: "NVIDIA" },
    ),
  ).rejects.toThrowErrorMatchingInlineSnapshot(
    `[UsageError: openGpu: got adapterName "NVIDIA", but a browser chooses the adapter itself, here apple metal-3; leave adapterName out]`,
  );
});

test.each([
  ["node", "Node", { node: "20.19.0" }, undefined],
  ["node", "Node of a time with navigator.gpu", { node: "30.0.0" }, {}],
  ["node", "Bun", { node: "24.3.0", bun: "1.4.5" }, undefined],
  ["deno", "Deno", { node: "26.3.0", deno: "2.9.6" }, {}],
  ["node", "Deno without WebGPU", { node: "26.3.0", deno: "2.9.6" }, undefined],
  ["browser", "a browser", undefined, {}],
])("%s is the platform of %s", async (name, _, versions, gpu) => {
  vi.stubGlobal("process", Object.create(process, { versions: { value: versions } }));
  vi.stubGlobal("navigator", { gpu });
  vi.resetModules();
  const { platform } = await import("../../engine/platform/index.ts");
  expect(platform.name).toBe(name);
});

test("Deno opens its own adapter, and says what to do where there is none", async () => {
  const open = (adapter: GPUAdapter | null, options: OpenOptions = {}) => {
    vi.stubGlobal("navigator", { gpu: { requestAdapter: async () => adapter } });
    return deno.openGpu({ quiet: true, ...options });
  };
  const llvmpipe = adapterOf({
    vendor: "65541",
    device: "0",
    description: "llvmpipe (LLVM 15.0.6, 256 bits)",
  });

  const host = (state: string, driver?: string) => ({
    permissions: { querySync: () => ({ state }) },
    env: { get: () => driver },
    systemMemoryInfo: () => ({ total: 12345 }),
  });
  vi.stubGlobal("Deno", host("prompt", "embedded"));
  expect((await open(llvmpipe)).systemMemory).toBe(2 ** 32);
  vi.stubGlobal("Deno", host("granted"));
  const opened = await open(llvmpipe, { adapterName: "llvmpipe" });
  expect(opened).toMatchObject({ adapter: llvmpipe, systemMemory: 12345 });
  expect(opened.driver).toMatchObject({ source: "system", software: true });

  await expect(open(null)).rejects.toThrowErrorMatchingInlineSnapshot(
    `[DeviceError: openGpu: Deno finds no GPU adapter; install a Vulkan driver (Debian, Ubuntu: mesa-vulkan-drivers), or unset DENO_WEBGPU_BACKEND, VK_ICD_FILENAMES and VK_DRIVER_FILES if they name one that is not there]`,
  );
  await expect(open(llvmpipe, { adapterName: "NVIDIA" })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[UsageError: openGpu: got adapterName "NVIDIA", but Deno chooses the adapter itself, here llvmpipe (LLVM 15.0.6, 256 bits); leave adapterName out, or set VK_ICD_FILENAMES]`,
  );
  vi.stubGlobal("Deno", host("granted", "embedded"));
  await expect(open(llvmpipe)).rejects.toThrowErrorMatchingInlineSnapshot(
    `[UsageError: STEIN_DRIVER: got embedded, which Deno cannot open; set VK_ICD_FILENAMES to a driver's manifest]`,
  );
});

test("under Deno reads of the environment and of files what it may, and asks for nothing", async () => {
  vi.stubEnv("STEIN_AUTOTUNE", "measure");
  vi.stubEnv("STEIN_CACHE_DIR", import.meta.dirname);
  const here = "platform.test.ts";
  const seen = async (state: string, but?: string) => {
    vi.stubGlobal("Deno", {
      permissions: {
        querySync: ({ name }: { name: string }) => ({ state: name === but ? "prompt" : state }),
      },
    });
    return [autotuneVariable(), (await (await openCache()).read(here)) !== undefined];
  };
  expect(await seen("granted")).toEqual(["measure", true]);
  expect(await seen("prompt")).toEqual([undefined, false]);
  expect(await seen("granted", "env")).toEqual([undefined, false]);
  expect(await seen("granted", "read")).toEqual(["measure", false]);
});

test("readTar finds plain files by their bare name, whatever their size", () => {
  const sizes = { empty: 0, small: 3, block: 512, more: 513 };
  const blocks: Uint8Array[] = [];
  const add = (name: string, kind: string, body: Uint8Array) => {
    const entry = new Uint8Array(512 + 512 * Math.ceil(body.length / 512));
    const encode = (text: string, at: number) => entry.set(new TextEncoder().encode(text), at);
    encode(name, 0);
    encode(body.length.toString(8).padStart(11, "0"), 124);
    encode(kind, 156);
    entry.set(body, 512);
    blocks.push(entry);
  };
  add("folder/", "5", new Uint8Array(0));
  for (const [name, size] of Object.entries(sizes))
    add(`./folder/${name}`, "0", new Uint8Array(size).fill(size % 251));
  blocks.push(new Uint8Array(1024)); // the end mark

  const files = readTar(Buffer.concat(blocks));
  expect([...files].map(([name, bytes]) => [name, bytes.length])).toEqual(Object.entries(sizes));
  expect(files.get("more")!.every((byte) => byte === 513 % 251)).toBe(true);
});
