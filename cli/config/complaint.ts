import type { z } from "zod";
import { nearest } from "../../engine/errors.ts";

/** An issue in a configuration, as the end of a message. `keysAt` gives the known keys of the section at a path. */
export function complaint(
  issue: z.core.$ZodIssue,
  root: unknown,
  keysAt: (path: readonly PropertyKey[]) => readonly string[],
): string {
  const place = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    const key = issue.keys[0]!;
    const known = keysAt(issue.path);
    const meant = nearest(key, known);
    return `unknown key "${[...issue.path, key].join(".")}", ${meant ? `did you mean "${meant}"?` : `expected one of ${known.join(", ")}`}`;
  }
  const given = issue.path.reduce<unknown>(
    (v, k) => (v as Record<PropertyKey, unknown> | undefined)?.[k],
    root,
  );
  const got = `${place || "the file"}: got ${shown(given)}`;
  if (issue.code === "invalid_value" && issue.message.startsWith("Invalid")) {
    const values = issue.values.map(String);
    const meant = nearest(String(given), values);
    return `${got}, expected ${values.join(", ")}${meant ? `; did you mean "${meant}"?` : ""}`;
  }
  return `${got}, ${issue.message}`;
}

/** A value as the user wrote it, the end of a long one left out. */
function shown(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  const text = typeof value === "number" ? String(value) : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
