/** The real command line, in child processes and in this one. */
import { type ChildProcess, spawn } from "node:child_process";
import { Console } from "node:console";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { inject, vi } from "vitest";
import { stringify } from "yaml";
import { runProgram } from "../../cli/program.ts";
import { Engine } from "../../engine/engine.ts";
import { installed } from "../package/installed.ts";

const bin = "bin/stein.js";
/** The sources as they are. */
export const clone = fileURLToPath(new URL("../..", import.meta.url));

/** In CI, where all tests run, the installed package, which starts in half the time. It has no embedded driver. */
const home = async (): Promise<string> =>
  process.env.CI && !process.env.STEIN_DRIVER && inject("packageFolder") ? (await installed()).home : clone;

export interface Outcome {
  /** Exit code; null when a signal ended it. */
  code: number | null;
  stdout: string;
  /** Lines on stderr but for `announced` and what Dawn and Vulkan print there themselves. */
  complaints: string[];
  /** Announcements of a software driver. */
  announced: string[];
}

export interface SteinOptions {
  cwd?: string;
  env?: Record<string, string | undefined>;
  /** A folder with a `stein`, where that of `home` will not do. */
  from?: string;
  /** Told of the child while it runs. */
  onStart?: (child: ChildProcess) => void;
}

/** Runs `stein ...args` to its end. In CI the first call installs the package. */
export async function stein(args: readonly string[], options: SteinOptions = {}): Promise<Outcome> {
  const program = join(options.from ?? (await home()), bin);
  const leave = await enter();
  try {
    return await run([program, ...args], options);
  } finally {
    leave();
  }
}

function run(args: readonly string[], { cwd, env, onStart }: SteinOptions): Promise<Outcome> {
  const child = spawn(process.execPath, args, {
    ...(cwd !== undefined && { cwd }),
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 110_000,
    killSignal: "SIGKILL",
  });
  onStart?.(child);
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, ...sorted(stderr) }));
  });
}

/**
 * The same in this process, in a hundredth of the time, for what opens no device: to open one is a fault of stein's own,
 * exit code 1. One at a time: the working folder and the console are the process's.
 */
export async function steinHere(
  args: readonly string[],
  { cwd = process.cwd() }: { cwd?: string } = {},
): Promise<Outcome> {
  if (vi.isMockFunction(Engine.create))
    throw new Error("steinHere: another is still running; await it first");
  let [stdout, stderr] = ["", ""];
  const before = process.cwd();
  const spies = [
    vi.spyOn(process.stdout, "write").mockImplementation((text) => Boolean((stdout += text))),
    vi.spyOn(process.stderr, "write").mockImplementation((text) => Boolean((stderr += text))),
    vi.spyOn(globalThis, "console", "get").mockReturnValue(new Console(process.stdout, process.stderr)),
    vi.spyOn(Engine, "create").mockRejectedValue(new Error("a device was opened")),
  ];
  try {
    process.chdir(cwd);
    const code = await runProgram(args);
    return { code, stdout, ...sorted(stderr) };
  } finally {
    process.chdir(before);
    for (const spy of spies) spy.mockRestore();
  }
}

function sorted(stderr: string): Pick<Outcome, "complaints" | "announced"> {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "" && !ofTheDriver.test(line));
  const announcement = /^stein: .*; running on .* software driver\): correct, but slow$/;
  const announced = lines.filter((line) => announcement.test(line));
  return { complaints: lines.filter((line) => !announcement.test(line)), announced };
}

/** Dawn's own warnings, which come from native code. */
const ofTheDriver = /^Warning: |^ {4}at CheckVk/;

/** Few at once: the machine has other work. */
let free = 2;
const waiting: (() => void)[] = [];

async function enter(): Promise<() => void> {
  if (free > 0) free--;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  return () => {
    const next = waiting.shift();
    if (next) next();
    else free++;
  };
}

const folders: string[] = [];

/** A new folder holding files by name; a test file that makes some says `afterAll(removeFolders)`. */
export function newFolder(contents: Record<string, string | Uint8Array> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), "stein-test-"));
  folders.push(folder);
  for (const [name, content] of Object.entries(contents)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

type Sections = Record<string, Record<string, unknown>>;

/** A run of seconds on a software driver, as YAML, with other values in it. */
export function tiny(changes: Sections = {}): string {
  const config: Sections = {
    data: { name: "digits", count: 64, heldBack: 16, size: 8 },
    model: { name: "ncsn-small", channels: [8, 8, 8] },
    sigmas: { begin: 1, end: 0.1, count: 3 },
    training: { steps: 12, batchSize: 4, checkpointEvery: 5 },
    sampling: { count: 4, stepsPerLevel: 3 },
  };
  return changed(config, changes);
}

/** The same on an SDE: NCSN++ of one level. */
export function tinyOnSde(changes: Sections = {}): string {
  const config: Sections = {
    data: { name: "digits", count: 64, heldBack: 16, size: 8 },
    model: { name: "ncsnpp", nf: 8, chMult: [1], numResBlocks: 1, attnResolutions: [] },
    sde: { name: "ve", sigmaMax: 8, numScales: 20 },
    training: { steps: 12, batchSize: 4, checkpointEvery: 5, reduceMean: true },
    sampling: { count: 4 },
  };
  return changed(config, changes);
}

function changed(config: Sections, changes: Sections): string {
  for (const [section, values] of Object.entries(changes))
    config[section] = { ...config[section], ...values };
  return stringify(config);
}
