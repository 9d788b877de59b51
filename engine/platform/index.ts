import type { Platform } from "./platform.ts";

export type { DriverReport, OpenedGpu, OpenOptions, Platform } from "./platform.ts";

/**
 * The platform this program runs on, loaded when first used. node.ts is reached by this one dynamic import, so a
 * browser never loads it; a bundler for browsers swaps it for browser.ts by the "browser" field of package.json
 * (both export `platform`).
 */
export const platform: Platform = {
  name: hostName(),

  async openGpu(options) {
    const { platform } = await load[hostName()]();
    return platform.openGpu(options);
  },
};

const load: Record<Platform["name"], () => Promise<{ platform: Platform }>> = {
  node: () => import("./node.ts"),
  deno: () => import("./deno.ts"),
  browser: () => import("./browser.ts"),
};

/**
 * "node" in Node and Bun; not in the browser half of Electron, and not for the empty `process` that bundlers put in.
 * Deno has Node's `process` too: "deno" where it offers WebGPU itself, else "node", for the package `webgpu` runs there.
 */
function hostName(): Platform["name"] {
  const { process, navigator } = globalThis as Host;
  if (process?.versions?.node === undefined || process.type === "renderer") return "browser";
  return process.versions.deno !== undefined && navigator?.gpu ? "deno" : "node";
}

interface Host {
  process?: { versions?: { node?: string; deno?: string }; type?: string };
  navigator?: { gpu?: unknown };
}
