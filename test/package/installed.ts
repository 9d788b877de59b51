/** The package as a user gets it: packed, and installed into an empty folder without development tools; once for all tests. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, inject } from "vitest";
import "./folder.ts"; // declares what is injected

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** A development tool of the clone, which the user's folder has not. */
export const tool = (path: string): string => join(root, "node_modules", path);

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

export function run(cwd: string, command: string, ...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { cwd, timeout: 170_000, maxBuffer: 1 << 24 };
    const child = execFile(command, args, options, (fault, stdout, stderr) => {
      const late = fault?.killed
        ? `\n${command} ${args.join(" ")}: ended after ${options.timeout / 1000} s`
        : "";
      resolve({ code: child.exitCode ?? -1, stdout, stderr: stderr + late });
    });
  });
}

export interface Packed {
  filename: string;
  size: number;
  unpackedSize: number;
  files: { path: string }[];
}

export interface Installed {
  /** The user's folder. */
  user: string;
  /** The package in it. */
  home: string;
  packed: Packed;
}

let installing: Promise<Installed> | undefined;

/** Builds, packs and installs, the first time it is called. For beforeAll, with INSTALL_TIMEOUT. */
export function installed(): Promise<Installed> {
  installing ??= install();
  return installing;
}

export const INSTALL_TIMEOUT = 300_000;

/** Test files may run in two processes: the one that can make the folder installs, the other waits for its word. */
async function install(): Promise<Installed> {
  const user = inject("packageFolder");
  const word = join(user, "installed.json");
  try {
    mkdirSync(user);
  } catch {
    while (!existsSync(word)) await sleep(200);
    const { packed, fault } = JSON.parse(readFileSync(word, "utf8")) as { packed: Packed; fault?: string };
    expect(fault, "what the other process says").toBeUndefined();
    return { user, home: join(user, "node_modules", "stein"), packed };
  }
  const say = (what: { packed: Packed } | { fault: string }) => {
    writeFileSync(`${word}.part`, JSON.stringify(what));
    renameSync(`${word}.part`, word);
  };
  try {
    const packed = await packAndInstall(user);
    say({ packed });
    return { user, home: join(user, "node_modules", "stein"), packed };
  } catch (cause) {
    say({ fault: String(cause) });
    throw cause;
  }
}

async function packAndInstall(user: string): Promise<Packed> {
  const build = await run(root, "npm", "run", "build", "--silent");
  expect(build.stdout + build.stderr.replace(/^npm warn .*\n/gm, "")).toBe("");
  const pack = await run(root, "npm", "pack", "--ignore-scripts", "--json", "--pack-destination", user);
  // an array, or by name since npm 12
  const [packed] = Object.values(JSON.parse(pack.stdout) as Record<string, Packed>) as [Packed];
  writeFileSync(join(user, "package.json"), '{ "private": true, "type": "module" }');
  const flags = ["--no-save", "--prefer-offline", "--omit=dev", "--no-audit", "--no-fund"];
  const done = await run(user, "npm", "install", ...flags, join(user, packed.filename));
  expect(done.code, done.stderr).toBe(0);
  return packed;
}
