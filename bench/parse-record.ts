import { UsageError } from "../engine/errors.ts";
import type { OldRecord } from "./record.ts";
import { type Line, line } from "./schema.ts";

// Apart from record.ts, which writes lines, so that the browser page can write them without the schema's library.

/** A run's lines out of the text of its file. Throws UsageError, naming the line and what is wrong with it. */
export function parseLines(text: string, file: string): Line[] {
  return text.split("\n").flatMap((written, i) => {
    if (written.trim() === "") return [];
    let value: unknown;
    try {
      value = JSON.parse(written);
    } catch {
      throw new UsageError(`bench: line ${i + 1} of ${file} is no JSON; give a file written by --json`);
    }
    const parsed = line.safeParse(value);
    if (parsed.success) return [parsed.data];
    const [issue] = parsed.error.issues;
    throw new UsageError(
      `bench: line ${i + 1} of ${file}: ${issue!.path.join(".") || "kind"}: ${issue!.message}; ` +
        `give a file written by this version's --json`,
    );
  });
}

/** An earlier run by the names of its cases. Throws UsageError for a text that holds none. */
export function parseRecord(text: string, file: string): OldRecord {
  const lines = parseLines(text, file);
  const run = lines.find((l) => l.kind === "run");
  if (!run) throw new UsageError(`bench: ${file} holds no run; give a file written by --json`);
  return {
    run,
    cases: new Map(lines.flatMap((l) => (l.kind === "case" ? [[l.name, l] as const] : []))),
  };
}
