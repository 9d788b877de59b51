import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { UsageError } from "../../engine/errors.ts";
import { writeWhole } from "../whole-file.ts";

let written = 0;

/**
 * Writes a file whole or not at all: into a temporary file beside it, then renamed over it, so that a reader
 * or a crash never meets half of it. Makes the folders above. Throws UsageError, leaving an older file as it
 * was.
 */
export function writeFileAtomic(path: string, content: Uint8Array | string): void {
  const temporary = `${path}.${process.pid}-${written++}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeThrough(temporary, typeof content === "string" ? Buffer.from(content) : content);
    renameSync(temporary, path);
  } catch (cause) {
    discard(temporary);
    throw new UsageError(
      `write: cannot write ${path} (${(cause as Error).message}), expected a writable place; ` +
        `check the folder and its space`,
      { cause },
    );
  }
}

/** Returns when the bytes are on the disk. */
function writeThrough(path: string, bytes: Uint8Array): void {
  const file = openSync(path, "w");
  try {
    writeWhole(file, bytes);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function discard(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // The error that led here says more.
  }
}
