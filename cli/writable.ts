import { existsSync, mkdtempSync, rmdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { UsageError } from "../engine/errors.ts";
import { isFolder } from "./is-folder.ts";

/**
 * Throws UsageError where a folder cannot be made or written into: for a file in its place or above it, and where the
 * right is missing. Asked before the work, lest its results be lost. Leaves nothing behind. Of a file that is to be written
 * there, `option` and `given` tell how it was asked for.
 */
export function requireWritable(who: string, folder: string, option = "--out", given = folder): void {
  let there = resolve(folder);
  while (!existsSync(there) && dirname(there) !== there) there = dirname(there);
  if (!statSync(there).isDirectory()) {
    const which = there === resolve(given) ? "which is a file" : `but ${there} is a file`;
    throw new UsageError(
      `${who}: got ${option} ${given}, ${which}, expected a folder; give another ${option}`,
    );
  }
  try {
    rmdirSync(mkdtempSync(join(there, ".stein-"))); // what the rights say is not all: /proc, say, takes no files
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new UsageError(
      `${who}: cannot write ${given} (${code}), expected a writable place; check the folder's rights, or give another ${option}`,
      { cause },
    );
  }
}

/** The same for a file that is to be written. Throws UsageError for a folder in its place, too. */
export function requireWritableFile(who: string, file: string, option = "--out"): void {
  if (file.endsWith("/") || isFolder(file))
    throw new UsageError(
      `${who}: got ${option} ${file}, which is a folder, expected a file; give a file's name in it`,
    );
  requireWritable(who, dirname(file), option, file);
}
