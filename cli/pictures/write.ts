import { UsageError } from "../../engine/errors.ts";
import { replaceFile } from "../../engine/platform/replace-file.ts";
import { writeWhole } from "../whole-file.ts";

/**
 * Writes a file whole or not at all, and for good: see replaceFile. Makes the folders above. Throws UsageError, leaving an
 * older file as it was.
 */
export function writeFileAtomic(path: string, content: Uint8Array | string): void {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  try {
    replaceFile(path, (file) => writeWhole(file, bytes));
  } catch (cause) {
    throw new UsageError(
      `write: cannot write ${path} (${(cause as Error).message}), expected a writable place; ` +
        `check the folder and its space`,
      { cause },
    );
  }
}
