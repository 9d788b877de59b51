/**
 * The tests of kernels and ops a second time, where WGSL is compiled by naga and run by wgpu: under Deno, out of its npm
 * package. `npm run test:naga`; arguments go to vitest: `npm run test:naga -- test/ops/softmax.test.ts`.
 *
 * The driver is the system's where it works, else the embedded one; STEIN_DRIVER=system or embedded decides.
 */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { DeviceError, UsageError } from "../../engine/errors.ts";
import { embeddedDriver } from "../../engine/platform/embedded-driver.ts";
import { unoptimised } from "../support/unoptimised.ts";

type Variables = Record<string, string | undefined>;

const root = fileURLToPath(new URL("../..", import.meta.url));
const deno = createRequire(import.meta.url).resolve("deno/bin.cjs");
/** wgpu goes on to OpenGL without a word where Vulkan fails: not here. Elsewhere than on Linux it has one backend. */
const system: Variables = process.platform === "linux" ? { DENO_WEBGPU_BACKEND: "vulkan" } : {};

/** Runs a program under Deno; its exit code. */
function runDeno(variables: Variables, args: string[], stdio: "inherit" | "ignore"): number {
  const env = { ...process.env, DENO_NO_UPDATE_CHECK: "1", ...variables };
  const { status, error } = spawnSync(process.execPath, [deno, "run", "-A", ...args], {
    cwd: root,
    env,
    stdio,
  });
  if (error) throw error;
  return status ?? 1;
}

/** The embedded driver, by the loader beside it. */
function embedded(): Variables {
  const folder = embeddedDriver();
  if (folder === undefined)
    throw new DeviceError("test:naga: no embedded driver is installed; npm ci brings it, on Linux x64");
  const manifest = join(folder, "vk_swiftshader_icd.json");
  const libraries = [folder, process.env["LD_LIBRARY_PATH"]].filter(Boolean).join(delimiter);
  return { ...system, VK_ICD_FILENAMES: manifest, VK_DRIVER_FILES: manifest, LD_LIBRARY_PATH: libraries };
}

function variables(): Variables {
  const choice = process.env["STEIN_DRIVER"] || "auto";
  if (!["auto", "system", "embedded"].includes(choice))
    throw new UsageError(`STEIN_DRIVER: got ${choice}, expected auto, system or embedded`);
  if (choice === "embedded") return embedded();
  const works = () => runDeno(system, ["test/platform/child/sum.ts"], "ignore") === 0;
  return choice === "system" || works() ? system : embedded();
}

const chosen = { ...variables(), ...unoptimised, STEIN_DRIVER: undefined };
const vitest = ["node_modules/vitest/vitest.mjs", "run", "--config", "test/naga/vitest.config.ts"];
process.exitCode = runDeno(chosen, [...vitest, ...process.argv.slice(2)], "inherit");
