import type { Platform } from "./platform.ts";

export type { DriverReport, OpenedGpu, OpenOptions, Platform } from "./platform.ts";

/**
 * The platform this program runs on, loaded when first used. node.ts is reached by this one dynamic import, so a
 * browser never loads it; a bundler for browsers swaps it for browser.ts by the "browser" field of package.json
 * (both export `platform`).
 */
export const platform: Platform = {
  name: runsInNode() ? "node" : "browser",

  async openGpu(options) {
    const host = runsInNode() ? await import("./node.ts") : await import("./browser.ts");
    return host.platform.openGpu(options);
  },
};

/** Node, Bun and Deno; not the browser half of Electron, and not the empty `process` that bundlers put in. */
function runsInNode(): boolean {
  const host = (globalThis as { process?: { versions?: { node?: string }; type?: string } }).process;
  return host?.versions?.node !== undefined && host.type !== "renderer";
}
