import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** Milliseconds of a process that takes its first training step; see cold-step.ts. */
export interface ColdStep {
  readonly open: number;
  readonly compile: number;
  readonly kernels: number;
  /** Compiling, recording and running the first step. */
  readonly first: number;
  readonly second: number;
  /** From the start of the process to the end of the first step. */
  readonly total: number;
}

export interface ColdSteps {
  /** With Mesa's shader cache empty. */
  readonly cold: ColdStep;
  /** With what that process left in it. */
  readonly warm: ColdStep;
}

/** The first step of a fresh process, twice. */
export async function coldSteps(): Promise<ColdSteps> {
  const folder = mkdtempSync(join(tmpdir(), "stein-shader-cache-"));
  try {
    return { cold: await once(folder), warm: await once(folder) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function once(cacheFolder: string): Promise<ColdStep> {
  const typescript = import.meta.url.endsWith(".ts"); // the sources, not their build
  const script = fileURLToPath(new URL(`cold-step.${typescript ? "ts" : "js"}`, import.meta.url));
  const loader = typescript ? ["--import", "tsx"] : [];
  const { stdout } = await promisify(execFile)(process.execPath, [...loader, script], {
    env: { ...process.env, MESA_SHADER_CACHE_DIR: cacheFolder },
  });
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as ColdStep;
}
