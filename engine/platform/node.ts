import { existsSync, readdirSync } from "node:fs";
import { constants, homedir, totalmem } from "node:os";
import { join } from "node:path";
import { isMainThread } from "node:worker_threads";
import { DeviceError, UsageError } from "../errors.ts";
import { type HostFacts, noAdapter, noBinding } from "./advice.ts";
import { collect } from "./collect.ts";
import { findArchive, unpack } from "./embedded-driver.ts";
import {
  announce,
  type DriverReport,
  namesSoftware,
  type OpenedGpu,
  type OpenOptions,
  type Platform,
  type Poller,
  reportDriver,
} from "./platform.ts";
import { textOf } from "./read-text.ts";

/** Node, through the package `webgpu` (Dawn). The one file that imports it. */
export const platform: Platform = { name: "node", openGpu };

/**
 * STEIN_DRIVER decides where the driver comes from:
 *
 * - `auto`, or unset: a GPU, else the system's software driver, else the embedded one (Linux x64, and unless
 *   VK_ICD_FILENAMES or VK_DRIVER_FILES is set: who names a driver gets that one or an error);
 * - `system`: never the embedded one;
 * - `embedded`: only that one, whatever else is there.
 *
 * The embedded driver is SwiftShader with its loader, out of the npm package @sparticuz/chromium, looked for from
 * here and from the working folder. It is unpacked once into a folder of the user's under os.tmpdir().
 */
const choices = ["auto", "system", "embedded"] as const;
type Choice = (typeof choices)[number];

type Create = (flags: string[]) => GPU;
interface Found {
  gpu: GPU;
  adapter: GPUAdapter;
}

async function openGpu(options: OpenOptions = {}): Promise<OpenedGpu> {
  const choice = driverChoice();
  const create = await loadBinding();
  const others: string[] = []; // adapters met that options.adapterName does not name

  if (choice !== "embedded") {
    const found = await findReal(create, options, others);
    if (found) return opened(found, options, "system");
  }

  const archive = findArchive();
  const wanted = choice === "embedded" || (choice === "auto" && vulkanVariables().length === 0);
  let embeddedFailure: string | undefined;
  if (wanted && archive && process.platform === "linux" && process.arch === "x64") {
    const because = choice === "embedded" ? "STEIN_DRIVER=embedded" : undefined;
    try {
      const found = await findEmbedded(create, options, others, unpack(archive));
      if (found) return opened(found, options, "embedded", because);
      embeddedFailure = isMainThread ? "Dawn does not accept it" : noVariables;
    } catch (error) {
      embeddedFailure = error instanceof Error ? error.message : String(error);
    }
  }

  if (others.length > 0) {
    const got = JSON.stringify(options.adapterName);
    throw new UsageError(`openGpu: got adapterName ${got}, expected part of one of: ${others.join("; ")}`);
  }
  const embeddedInstalled = archive !== undefined;
  throw new DeviceError(noAdapter({ ...hostFacts(), choice, embeddedInstalled, embeddedFailure }));
}

const noVariables =
  "a worker's variables do not reach native code; open the GPU in the main thread, or start the worker with env: SHARE_ENV";

function driverChoice(): Choice {
  const value = process.env.STEIN_DRIVER || "auto";
  const choice = choices.find((known) => known === value);
  if (!choice) throw new UsageError(`STEIN_DRIVER: got ${value}, expected auto, system or embedded`);
  return choice;
}

/** The binding, with WebGPU's classes and constants (GPUBufferUsage ...) made global, as they are in a browser. */
async function loadBinding(): Promise<Create> {
  try {
    const { create, globals } = await import("webgpu");
    for (const [name, value] of Object.entries(globals)) {
      if (name in globalThis) continue;
      Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
    }
    return create;
  } catch (error) {
    throw new DeviceError(noBinding(hostFacts(), error instanceof Error ? error.message : String(error)), {
      cause: error,
    });
  }
}

function opened(
  { gpu, adapter }: Found,
  { quiet }: OpenOptions,
  source: DriverReport["source"],
  because?: string,
): OpenedGpu {
  const driver = reportDriver(adapter, source, because);
  announce(driver, quiet);
  const found = { adapter, keepAlive: [gpu, adapter], driver, systemMemory: systemMemory(), poller };
  if (!driver.software) return found;
  return { ...found, collect, ...(driver.vendor === "mesa" && mappings()) }; // SwiftShader's bind groups are none
}

/** What Linux allows a process. */
function mappings(): Pick<OpenedGpu, "mappings"> {
  const most = Number(textOf("/proc/sys/vm/max_map_count"));
  return most > 0 ? { mappings: most } : {};
}

/** Dawn's binding polls on every round of the event loop. */
export const poller: Poller = {
  now: () => performance.now(),
  nap: (ms) => void Atomics.wait(bed, 0, 0, ms),
  round: () => new Promise((resolve) => setImmediate(resolve)),
};

/** Nobody wakes who waits for it to change. */
const bed = new Int32Array(new SharedArrayBuffer(4));

/** The machine's memory, or the container's share of it. */
function systemMemory(): number {
  const limit = process.constrainedMemory(); // 0 when there is none, or more than there is
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

/**
 * Asks a new instance for an adapter. Dawn reads the environment and answers before requestAdapter returns its
 * promise, so a caller may set variables around the call. Where a name matches none, Dawn throws a list of all.
 */
async function request(create: Create, options: OpenOptions, others: string[]): Promise<Found | undefined> {
  const { powerPreference = "high-performance", adapterName, dawnFeatures = [] } = options;
  const enable = dawnFeatures.filter((name) => !name.startsWith("-"));
  const disable = dawnFeatures.filter((name) => name.startsWith("-")).map((name) => name.slice(1));
  const flags: string[] = [];
  if (adapterName !== undefined) flags.push(`adapter=${adapterName}`);
  if (enable.length > 0) flags.push(`enable-dawn-features=${enable.join(",")}`);
  if (disable.length > 0) flags.push(`disable-dawn-features=${disable.join(",")}`);

  const gpu = create(flags);
  try {
    const adapter = await gpu.requestAdapter({ powerPreference });
    return adapter ? { gpu, adapter } : undefined;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!message.includes("Available adapters:")) {
      throw new DeviceError(`openGpu: ${message}`, { cause: error }); // a DAWNNODE_BACKEND that is not known, say
    }
    others.push(...[...message.matchAll(/^ \* .*name: '(.*)'$/gm)].map(([, name]) => name!));
    return undefined;
  }
}

/**
 * Dawn ranks GPUs before software drivers, but virtual GPUs behind them: where the kernel shows a GPU of any kind,
 * looks through the names once more. (Not everywhere: each look prints the drivers' warnings again.)
 */
async function findReal(create: Create, options: OpenOptions, others: string[]): Promise<Found | undefined> {
  const first = await request(create, options, others);
  if (!first || options.adapterName !== undefined) return first;
  if (!reportDriver(first.adapter, "system").software) return first;
  if (!["/dev/dri", "/dev/nvidiactl", "/dev/dxg"].some((path) => existsSync(path))) return first;

  const names: string[] = [];
  await request(create, { adapterName: "stein lists all adapters" }, names);
  for (const adapterName of names.filter((name) => !namesSoftware(name))) {
    const next = await request(create, { ...options, adapterName }, []);
    if (next && !reportDriver(next.adapter, "system").software) return next;
  }
  return first;
}

/** The driver in `folder`, by the system's loader or else by the one beside it. */
async function findEmbedded(
  create: Create,
  options: OpenOptions,
  others: string[],
  folder: string,
): Promise<Found | undefined> {
  const manifest = join(folder, "vk_swiftshader_icd.json");
  const ask = async () => {
    const found = await withVariables(vulkanNames, manifest, () => request(create, options, others));
    return found?.adapter.info.device.includes("swiftshader") ? found : undefined; // in a worker: what there was before
  };
  const found = await ask();
  if (found || others.length > 0) return found;

  holdLibrary(join(folder, "libvulkan.so.1"));
  return ask();
}

/**
 * Loads a shared library so that Dawn's own dlopen of that name finds it. A glibc trick: process.dlopen wants an addon
 * and throws once it has loaded the library and found no addon in it; RTLD_NODELETE keeps it loaded all the same.
 */
function holdLibrary(path: string): void {
  const RTLD_NODELETE = 0x1000; // not among os.constants
  const { RTLD_NOW, RTLD_GLOBAL } = constants.dlopen;
  try {
    process.dlopen({ exports: {} }, path, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.includes("did not self-register")) throw error;
  }
}

const vulkanNames = ["VK_ICD_FILENAMES", "VK_DRIVER_FILES"]; // the older and the newer name of the same

const vulkanVariables = () => vulkanNames.filter((name) => process.env[name]);

/** Runs `work` with the variables set, and sets them back as soon as it returns: no child process inherits them. */
function withVariables<T>(names: readonly string[], value: string, work: () => T): T {
  const before = names.map((name) => process.env[name]);
  for (const name of names) process.env[name] = value;
  try {
    return work();
  } finally {
    names.forEach((name, i) => {
      if (before[i] === undefined) delete process.env[name];
      else process.env[name] = before[i];
    });
  }
}

function hostFacts(): HostFacts {
  const list = (folder: string, end: string) => {
    try {
      return readdirSync(folder).filter((name) => name.endsWith(end));
    } catch {
      return [];
    }
  };

  const apt = "/etc/apt/sources.list.d";
  const aptFiles = ["/etc/apt/sources.list", ...list(apt, "").map((name) => join(apt, name))];
  const aptSources = aptFiles
    .filter((path) => /\.(list|sources)$/.test(path))
    .map((path) => [path, textOf(path) ?? ""] as const);

  const data = (process.env.XDG_DATA_DIRS || "/usr/local/share:/usr/share").split(":");
  const own = process.env.XDG_DATA_HOME || join(homedir(), ".local/share");
  const icdFolders = ["/etc", ...data, own].map((folder) => join(folder, "vulkan/icd.d"));
  const set = [...vulkanVariables(), "DAWNNODE_BACKEND"].filter((name) => process.env[name]);
  return {
    platform: process.platform,
    arch: process.arch,
    osRelease: textOf("/etc/os-release"),
    aptSources: Object.fromEntries(aptSources),
    icdFiles: [...new Set(icdFolders.flatMap((folder) => list(folder, ".json")))],
    nvidia: existsSync("/dev/nvidiactl"),
    variables: set.map((name) => `${name}=${process.env[name]}`),
  };
}
