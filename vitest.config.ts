import { defineConfig } from "vitest/config";

/** Tests that need no device: they run anywhere, in parallel, on every save. All others are device tests. */
const host = [
  "test/{oracle,data,pictures}/**/*.test.ts",
  "test/bench/peers*.test.ts",
  "test/cli/{checkpoint-folder,control-messages,help,log,messages,runs}.test.ts",
  "test/bench/{browser-safe,change,html,roofline-plot,roofs,schema}.test.ts",
  "test/figures/{docs,fisher,law,svg}.test.ts",
  "test/engine/{buffers,errors,patience,safetensors,shader-message,shapes}.test.ts",
  "test/kernels/{half,source}.test.ts",
  "test/platform/{advice,platform}.test.ts",
  "test/reference/compare.test.ts",
  "test/train/{distances,metrics,techniques}.test.ts",
  "test/web/parts.test.ts",
];

/** A device of another kind than that of the other tests: in a process of its own. */
const small = "test/reference/small-adapter.test.ts";

/** What a user has measured on this machine decides no test. */
const env = { STEIN_AUTOTUNE: "off" };

/** --mode small: on the smallest adapter that WebGPU allows, see test/support/engine.ts. */
export default defineConfig(({ mode }) => ({
  test: {
    projects: [
      { test: { name: "host", include: host, testTimeout: 30_000, env } },
      {
        test: {
          name: "device",
          sequence: { groupOrder: 1 }, // after the host's
          include: ["test/**/*.test.ts"],
          exclude: [...host, small, "test/naga/**"],
          globalSetup: "test/package/folder.ts",
          env: { ...env, ...(mode === "small" && { STEIN_LIMITS: "default" }) },
          // Two processes, in each one file after the other, modules kept: test/support/engine.ts opens one device for
          // all and holds it, for Dawn hangs when its handles are collected. Much of a test is one thread's work.
          pool: "forks",
          maxWorkers: 2,
          isolate: false,
          // A software driver compiles each shader for tens of milliseconds, on cores shared with others.
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "small",
          sequence: { groupOrder: 2 },
          include: [small],
          env,
          pool: "forks",
          maxWorkers: 1,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
}));
