import { defineConfig } from "vitest/config";

/** Tests that need no device: they run anywhere, in parallel, on every save. All others are device tests. */
const host = [
  "test/{oracle,data,pictures}/**/*.test.ts",
  "test/cli/{checkpoint-folder,control-messages,help,log,messages,runs}.test.ts",
  "test/figures/{docs,fisher,law,svg}.test.ts",
  "test/engine/{buffers,errors,patience,safetensors,shapes}.test.ts",
  "test/kernels/{half,source}.test.ts",
  "test/platform/{advice,platform}.test.ts",
  "test/reference/compare.test.ts",
  "test/train/{distances,metrics,techniques}.test.ts",
];

/** What a user has measured on this machine decides no test. */
const env = { STEIN_AUTOTUNE: "off" };

export default defineConfig({
  test: {
    projects: [
      { test: { name: "host", include: host, testTimeout: 30_000, env } },
      {
        test: {
          name: "device",
          env,
          include: ["test/**/*.test.ts"],
          exclude: host,
          // One process, one file after the other, modules kept: test/support/engine.ts opens one device for all
          // and holds it, for Dawn hangs when its handles are collected.
          pool: "forks",
          maxWorkers: 1,
          isolate: false,
          fileParallelism: false,
          // A software driver compiles each shader for tens of milliseconds, on cores shared with others.
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
