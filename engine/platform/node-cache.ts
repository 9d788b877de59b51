import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { UsageError } from "../errors.ts";
import type { TextCache } from "./cache.ts";

/** Files in STEIN_CACHE_DIR, or else in this system's folder for caches. */
export const cache: TextCache = {
  place: (name) => join(folder(), name),

  async read(name) {
    try {
      return readFileSync(join(folder(), name), "utf8");
    } catch {
      return undefined;
    }
  },

  async write(name, text) {
    const path = join(folder(), name);
    const temporary = `${path}.${randomUUID()}.tmp`;
    try {
      mkdirSync(folder(), { recursive: true });
      writeFileSync(temporary, text, { flush: true });
      renameSync(temporary, path);
    } catch (cause) {
      discard(temporary);
      throw new UsageError(
        `cache: cannot write ${path} (${(cause as Error).message}), expected a writable folder; ` +
          "set STEIN_CACHE_DIR to one",
        { cause },
      );
    }
  },
};

function discard(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // The error that led here says more.
  }
}

function folder(): string {
  const { STEIN_CACHE_DIR, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (STEIN_CACHE_DIR) return STEIN_CACHE_DIR;
  if (process.platform === "darwin") return join(homedir(), "Library", "Caches", "stein");
  if (process.platform === "win32") return join(LOCALAPPDATA || homedir(), "stein", "cache");
  return join(XDG_CACHE_HOME || join(homedir(), ".cache"), "stein");
}
