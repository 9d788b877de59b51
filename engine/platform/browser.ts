import { DeviceError, UsageError } from "../errors.ts";
import { announce, type OpenedGpu, type OpenOptions, type Platform, reportDriver } from "./platform.ts";

export const platform: Platform = { name: "browser", openGpu };

type Host = { navigator?: { gpu?: GPU; deviceMemory?: number } };

async function openGpu({
  powerPreference = "high-performance",
  adapterName,
  quiet,
}: OpenOptions = {}): Promise<OpenedGpu> {
  const gpu = (globalThis as Host).navigator?.gpu;
  if (!gpu) {
    throw new DeviceError(
      globalThis.isSecureContext === false
        ? "openGpu: WebGPU is hidden from this page; serve it over https or from localhost"
        : "openGpu: this browser has no WebGPU; use Chrome or Edge 113, Firefox 141, Safari 26 or later",
    );
  }

  const adapter = await gpu.requestAdapter({ powerPreference });
  if (!adapter) {
    throw new DeviceError(
      "openGpu: the browser has WebGPU but offers no adapter; turn on graphics acceleration in its settings, " +
        "update the graphics driver, or start Chrome with --enable-unsafe-webgpu (chrome://gpu says what is missing)",
    );
  }

  const driver = reportDriver(adapter, "browser");
  const names = [driver.vendor, driver.architecture, driver.device, driver.description].filter(Boolean);
  if (adapterName !== undefined && !names.some((name) => name.includes(adapterName))) {
    throw new UsageError(
      `openGpu: got adapterName ${JSON.stringify(adapterName)}, but a browser chooses the adapter itself, ` +
        `here ${names.join(" ")}; leave adapterName out`,
    );
  }
  announce(driver, quiet);
  return { adapter, keepAlive: [gpu, adapter], driver, systemMemory: systemMemory() };
}

/** What the browser tells, in GiB and never more than 8 (Chrome); 4 where it tells nothing. */
function systemMemory(): number {
  return ((globalThis as Host).navigator?.deviceMemory ?? 4) * 2 ** 30;
}
