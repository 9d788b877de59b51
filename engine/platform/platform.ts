/**
 * Where the engine meets its host. Whatever differs between Node, Deno and a browser stands behind `Platform`;
 * node.ts, deno.ts and browser.ts implement it, index.ts picks one at run time.
 */
export interface Platform {
  name: "node" | "deno" | "browser";

  /**
   * Finds the best adapter there is: a GPU, else a software driver, announced in one line on stderr.
   * Throws DeviceError when there is none, with the line to type to get one.
   */
  openGpu(options?: OpenOptions): Promise<OpenedGpu>;
}

/** Which adapter is taken. */
export interface OpenOptions {
  /** "high-performance" unless told: Dawn would otherwise put an integrated GPU before a discrete one. */
  powerPreference?: GPUPowerPreference;
  /** Part of the device name, in its upper and lower case, as Dawn's `adapter=`. */
  adapterName?: string;
  /** Dawn toggles to enable, or with a leading "-" to disable. Dawn ignores unknown ones, a browser all of them. */
  dawnFeatures?: readonly string[];
  /** Do not announce a software driver. */
  quiet?: boolean;
}

export interface OpenedGpu {
  adapter: GPUAdapter;
  /** Hold these as long as the device lives: collected early, Dawn hangs or crashes. */
  keepAlive: readonly unknown[];
  driver: DriverReport;
  /** Bytes this process may use of the machine's memory; in a browser a guess. A software driver keeps its buffers there. */
  systemMemory: number;
  /** Features that the adapter grants without listing them. */
  unlisted?: readonly GPUFeatureName[];
  /** Given where this thread itself polls the device while a promise of it is pending. */
  poller?: Poller;
  /** Collects garbage at once. Given with drivers on which handles that wait for it use something up. */
  collect?: () => void;
  /** How many memory mappings the process may have, where it is known. Given with drivers on which each such handle is one. */
  mappings?: number;
  /** The compiler refuses "enable subgroups;", and takes subgroups without it. */
  withoutDirective?: boolean;
}

/** What a thread that polls a device can do meanwhile. */
export interface Poller {
  /** Milliseconds. */
  now(): number;
  /** Stops the thread. */
  nap(ms: number): void;
  /** Lets the event loop go round once, a poll of the device included. */
  round(): Promise<void>;
}

/** What runs the shaders, for `stein doctor`, benchmark headers and cache keys. */
export interface DriverReport {
  /** "embedded": unpacked from an npm package, for hosts without a driver of their own. */
  source: "system" | "embedded" | "browser";
  /** The processor plays GPU: results hold, timings say nothing about a GPU. */
  software: boolean;
  vendor: string;
  architecture: string;
  device: string;
  description: string;
  /** One line for people, on a software driver only. */
  notice?: string;
}

/** An adapter's name. Browsers tell neither description nor device: there its maker and architecture. */
export const adapterName = ({ description, device, vendor, architecture }: DriverReport): string =>
  description || device || [vendor, architecture].filter(Boolean).join(" ") || "an unnamed adapter";

const softwareNames = /llvmpipe|lavapipe|swiftshader|softpipe|microsoft basic render|\bwarp\b/i;

/** Is this the device name or description of a driver that computes on the processor? */
export const namesSoftware = (name: string): boolean => softwareNames.test(name);

/** `because` opens the notice: why a software driver is used. */
export function reportDriver(
  adapter: GPUAdapter,
  source: DriverReport["source"],
  because = "no GPU found",
): DriverReport {
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
  const report = { source, vendor, architecture, device, description };
  if (!isFallbackAdapter && ![architecture, device, description].some(namesSoftware)) {
    return { ...report, software: false };
  }

  const name = description || device || architecture || "of unknown name";
  const notice = `stein: ${because}; running on ${name} (${source} software driver): correct, but slow`;
  return { ...report, software: true, notice };
}

let announced: string | undefined;

/** Prints a report's notice, once in a process. */
export function announce(report: DriverReport, quiet = false): void {
  if (quiet || report.notice === undefined || report.notice === announced) return;
  announced = report.notice;
  console.warn(report.notice);
}
