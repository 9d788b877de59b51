import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { whileBusy } from "./busy.ts";

let written = 0;

/**
 * Writes a file whole or not at all, into a temporary file beside it that is then renamed over it: neither a reader nor a
 * crash meets half of it, and once this returns a power cut takes neither the bytes nor the name. Makes the folders above.
 * `write` is told the open file. Throws what node:fs throws, leaving an older file as it was.
 */
export function replaceFile(path: string, write: (file: number) => void): void {
  const temporary = `${path}.${process.pid}-${written++}.tmp`;
  const folder = dirname(path);
  try {
    const made = mkdirSync(folder, { recursive: true });
    writeThrough(temporary, write);
    rename(temporary, path);
    syncFolders(folder, made);
  } catch (cause) {
    discard(temporary);
    throw cause;
  }
}

/** Gives a file a name, in place of another that has it. */
export const rename = (from: string, to: string): void => whileBusy(() => renameSync(from, to));

/** Returns when the bytes are on the disk. */
function writeThrough(path: string, write: (file: number) => void): void {
  const file = openSync(path, "w");
  try {
    write(file);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Returns when the names in a folder are on the disk; its own too, and those above, down from `made`, if they are new. */
export function syncFolders(folder: string, made?: string): void {
  const last = made === undefined ? resolve(folder) : dirname(resolve(made));
  for (let at = resolve(folder); ; at = dirname(at)) {
    syncFolder(at);
    if (at === last || at === dirname(at)) return;
  }
}

/** Windows opens no folder, and some file systems sync none: they see to the names themselves, or nobody can. */
function syncFolder(path: string): void {
  let folder: number | undefined;
  try {
    folder = openSync(path, "r");
    fsyncSync(folder);
  } catch {
    // As said.
  } finally {
    if (folder !== undefined) closeSync(folder);
  }
}

function discard(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // The error that led here says more.
  }
}
