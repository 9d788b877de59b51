import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../engine/errors.ts";
import { unpacked } from "./gzip.ts";

// The one file of data/ that touches the file system; sets made by formula do not import it, for browsers.

export const exists = (path: string): boolean => existsSync(path);

const isFile = (path: string): boolean => exists(path) && statSync(path).isFile();

/** Of a file, in bytes; undefined where there is none. */
export const sizeOf = (path: string): number | undefined => (isFile(path) ? statSync(path).size : undefined);

/** Throws UsageError for a file in the place of a set's folder; who begins its message. */
export function refuseFile(folder: string, who: string): void {
  if (isFile(folder))
    throw new UsageError(
      `${who}: got path ${folder}, which is a file, expected the folder of its files; give that`,
    );
}

/** The bytes of a file. who begins the message of the UsageError when it cannot be read. */
export function readBytes(path: string, who: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new UsageError(
      `${who}: cannot read ${path} (${reason(cause)}), expected a file; check its name and rights`,
      {
        cause,
      },
    );
  }
}

/** Like readBytes, and unpacks gzip. */
export const readUnpacked = (path: string, who: string): Uint8Array =>
  unpacked(readBytes(path, who), path, who);

/**
 * Paths below folder, relative to it, in the order of their characters; hidden files and folders are left
 * out.
 */
export function listFiles(folder: string, who: string): string[] {
  try {
    return walk(folder, "").sort((a, b) => (a < b ? -1 : 1));
  } catch (cause) {
    throw new UsageError(
      `${who}: cannot list ${(cause as NodeJS.ErrnoException).path ?? folder} (${reason(cause)}), expected a folder; check the path`,
      { cause },
    );
  }
}

function walk(folder: string, below: string): string[] {
  return readdirSync(join(folder, below), { withFileTypes: true })
    .filter((entry) => !entry.name.startsWith("."))
    .flatMap((entry) => {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      return entry.isDirectory() ? walk(folder, path) : [path];
    });
}

function reason(cause: unknown): string {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === "ENOENT") return "no such file or folder";
  if (code === "ENOTDIR") return "not a folder";
  if (code === "EISDIR") return "it is a folder";
  if (code === "EACCES") return "no permission";
  return cause instanceof Error ? cause.message : String(cause);
}
