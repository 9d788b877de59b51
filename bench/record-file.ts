import { readFileSync } from "node:fs";
import { writeFileAtomic } from "../cli/pictures/write.ts";
import { UsageError } from "../engine/errors.ts";
import { parseRecord } from "./parse-record.ts";
import { type OldRecord, textOf } from "./record.ts";
import type { Line } from "./schema.ts";

/** Writes a run as JSON lines. */
export const writeRecord = (path: string, lines: readonly Line[]): void =>
  writeFileAtomic(path, textOf(lines));

/** An earlier run. Throws UsageError for a file that cannot be read or holds none. */
export function readRecord(path: string): OldRecord {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new UsageError(
      `bench: cannot read ${path} (${(cause as Error).message}); give a file written by --json`,
    );
  }
  return parseRecord(text, path);
}
