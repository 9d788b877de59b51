import { DeviceError, UsageError } from "../errors.ts";
import { granted } from "./granted.ts";
import { announce, type OpenedGpu, type OpenOptions, type Platform, reportDriver } from "./platform.ts";

/**
 * Deno, through its own navigator.gpu: wgpu, whose WGSL compiler is naga. wgpu goes on to another backend without a
 * word where Vulkan fails; DENO_WEBGPU_BACKEND=vulkan makes that an error, and VK_ICD_FILENAMES names the driver.
 */
export const platform: Platform = { name: "deno", openGpu };

interface Host {
  navigator: { gpu: GPU };
  Deno: {
    env: { get(name: string): string | undefined };
    systemMemoryInfo(): { total: number };
  };
}

async function openGpu({
  powerPreference = "high-performance",
  adapterName,
  quiet,
}: OpenOptions = {}): Promise<OpenedGpu> {
  const { navigator, Deno } = globalThis as unknown as Host;
  if (granted({ name: "env", variable: "STEIN_DRIVER" }) && Deno.env.get("STEIN_DRIVER") === "embedded") {
    throw new UsageError(
      "STEIN_DRIVER: got embedded, which Deno cannot open; set VK_ICD_FILENAMES to a driver's manifest",
    );
  }

  const { gpu } = navigator;
  const adapter = await gpu.requestAdapter({ powerPreference });
  if (!adapter) {
    throw new DeviceError(
      "openGpu: Deno finds no GPU adapter; install a Vulkan driver (Debian, Ubuntu: mesa-vulkan-drivers), or unset " +
        "DENO_WEBGPU_BACKEND, VK_ICD_FILENAMES and VK_DRIVER_FILES if they name one that is not there",
    );
  }

  const driver = reportDriver(adapter, "system");
  if (adapterName !== undefined && !driver.description.includes(adapterName)) {
    throw new UsageError(
      `openGpu: got adapterName ${JSON.stringify(adapterName)}, but Deno chooses the adapter itself, ` +
        `here ${driver.description}; leave adapterName out, or set VK_ICD_FILENAMES`,
    );
  }
  announce(driver, quiet);
  const unlisted: GPUFeatureName[] = (await grants(gpu, "subgroups")) ? ["subgroups"] : [];
  const keepAlive = [gpu, adapter];
  return { adapter, keepAlive, driver, systemMemory: systemMemory(), unlisted, withoutDirective: true };
}

/** Deno 2.9 lists no subgroups but grants them where the driver has them: asked of a device that goes again. */
async function grants(gpu: GPU, feature: GPUFeatureName): Promise<boolean> {
  const adapter = await gpu.requestAdapter();
  try {
    const device = await adapter!.requestDevice({ requiredFeatures: [feature] });
    const granted = device.features.has(feature);
    device.destroy();
    return granted;
  } catch {
    return false;
  }
}

/** The machine's memory; 4 GiB where Deno may not ask (--allow-sys=systemMemoryInfo). */
function systemMemory(): number {
  if (!granted({ name: "sys", kind: "systemMemoryInfo" })) return 4 * 2 ** 30;
  return (globalThis as unknown as Host).Deno.systemMemoryInfo().total;
}
