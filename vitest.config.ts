import { defineConfig } from "vitest/config";
import { unoptimised } from "./test/support/unoptimised.ts";

/** Tests that need no device: they run anywhere, in parallel, on every save. All others are device tests. */
const host = [
  "test/{oracle,data,pictures}/**/*.test.ts",
  "test/bench/peers*.test.ts",
  "test/cli/{called,checkpoint-folder,configuration-page,control-messages,help,log,messages,read-config,runs,whole-file,writable}.test.ts",
  "test/bench/{browser-safe,change,filter,html,roofline-plot,roofs,schema}.test.ts",
  "test/figures/{docs,fisher,law,svg}.test.ts",
  "test/engine/{buffers,errors,lowest-first,param-arena,patience,safetensors,shader-message,shapes}.test.ts",
  "test/kernels/{half,source}.test.ts",
  "test/platform/{advice,platform}.test.ts",
  "test/reference/compare.test.ts",
  "test/train/{distances,metrics,techniques}.test.ts",
  "test/web/parts.test.ts",
];

/** Those of them that put something in a module's place: each in a process of its own. */
const mocking = ["test/pictures/durable.test.ts", "test/cli/{whole-file,writable}.test.ts"];

/** A device of another kind than that of the other tests: in a process of its own. */
const small = "test/reference/small-adapter.test.ts";

/** Neither what a user has measured on this machine nor who started the tests decides one. */
const common = { STEIN_AUTOTUNE: "off", npm_command: "" };

const onHost = { pool: "forks" as const, maxWorkers: 2, testTimeout: 30_000, env: common };

const engine = "{bench,engine,ops,platform,reference}";
const networks = "{models,samplers}";

/**
 * Tests of some folders on a device, in two processes or three, in each one file after the other, modules kept: test/support/engine.ts
 * opens one device for all and holds it, for Dawn hangs when its handles are collected. Much of a test is one thread's
 * work. Not all folders share these processes: lavapipe maps memory for each shader and each bind group, and Linux ends a
 * process of more than 65,530 mappings, which a worker for all tests came to.
 */
const device = (
  name: string,
  { include, exclude = [], env = {} }: { include: string; exclude?: string[]; env?: Record<string, string> },
  when: Turn,
  mode: string,
) => ({
  test: {
    name,
    ...when,
    include: [`test/${include}/*.test.ts`],
    exclude: [...host, small, ...exclude.map((folder) => `test/${folder}/**`)],
    globalSetup: "test/package/folder.ts",
    env: {
      ...common,
      ...env,
      ...(mode === "small" && { STEIN_LIMITS: "default" }),
      ...(mode === "gpu" && { STEIN_CHOICES: "gpu" }),
    },
    pool: "forks" as const,
    isolate: false,
    // A software driver compiles each shader for tens of milliseconds, on cores shared with others.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});

interface Turn {
  readonly sequence: { readonly groupOrder: number };
  readonly maxWorkers: number;
}
/** Tests of a turn run together, after those of the turns before and the host's. */
const turn = (groupOrder: number, maxWorkers: number): Turn => ({ sequence: { groupOrder }, maxWorkers });
/** A worker more: these wait for programs and pages a fifth of their time. */
const last = turn(3, 3);

/** --mode small: on the smallest adapter that WebGPU allows; --mode gpu: by a GPU's kernels. See test/support/engine.ts. */
export default defineConfig(({ mode }) => ({
  test: {
    projects: [
      { test: { name: "host", include: host, exclude: mocking, ...onHost, isolate: false } },
      { test: { name: "host-mocking", include: mocking, ...onHost } },
      device("device", { include: engine }, turn(1, 2), mode),
      device("device-kernels", { include: "kernels", env: unoptimised }, turn(1, 2), mode),
      device("device-networks", { include: networks }, turn(2, 2), mode),
      device("device-training", { include: "train" }, last, mode),
      device(
        "device-rest",
        { include: "**", exclude: [engine, "kernels", networks, "train", "naga"] },
        last,
        mode,
      ),
      {
        test: {
          name: "small",
          ...last,
          include: [small],
          env: common,
          pool: "forks",
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
}));
