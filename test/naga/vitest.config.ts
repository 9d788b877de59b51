import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** The device tests of kernels and ops as they are, and what is of naga alone: run.ts starts this under Deno. */
export default defineConfig({
  root: fileURLToPath(new URL("../..", import.meta.url)),
  test: {
    name: "naga",
    include: [
      "test/naga/**/*.test.ts",
      "test/kernels/**/*.test.ts",
      "test/ops/**/*.test.ts",
      "test/engine/{autocast,capture,faults,update-fusion}.test.ts",
    ],
    globalSetup: "test/naga/setup.ts",
    env: { STEIN_AUTOTUNE: "off" },
    // Two processes, a device in each: Deno asks wgpu for results every 10 ms, and a process alone would idle so long.
    pool: "forks",
    maxWorkers: 2,
    isolate: false,
    // Twice that of the device tests: the two share the cores.
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
});
