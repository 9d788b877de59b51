import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "../../engine/errors.ts";

const folder = fileURLToPath(new URL(".", import.meta.url));
const require = createRequire(join(folder, "here.js"));

/** Where a package of the peers lies. */
const placeOf = (name: string): string => join(folder, "node_modules", name);

/** A package's CommonJS form, as the shape that the caller knows of it. */
export const load = <T>(name: string): T => require(name) as T;

/** The version of an installed package. */
export const versionOf = (name: string): string =>
  (JSON.parse(readFileSync(join(placeOf(name), "package.json"), "utf8")) as { version: string }).version;

/** Throws UsageError unless these packages are installed apart. */
export function requireInstalled(
  names: readonly string[],
  isThere = (name: string) => existsSync(placeOf(name)),
): void {
  const missing = names.filter((name) => !isThere(name));
  if (missing.length > 0)
    throw new UsageError(
      `got no ${missing.join(", ")}, expected the peers' packages in bench/peers; run npm ci --prefix bench/peers`,
    );
}
