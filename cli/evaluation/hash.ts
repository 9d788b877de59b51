import { createHash } from "node:crypto";
import type { State } from "../../models/module.ts";

/** SHA-256 of a file's bytes, in hexadecimal. */
export const hashOfBytes = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** SHA-256 of a network's values with their names and shapes, whatever file they came in. */
export function hashOfValues(values: State): string {
  const hash = createHash("sha256");
  for (const name of [...values.keys()].sort()) {
    const { shape, data } = values.get(name)!;
    hash.update(`${name} ${shape.join("x")}\n`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}
