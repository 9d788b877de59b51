import { readFileSync } from "node:fs";

/** The package's version, from the sources or from the build. */
export function version(): string {
  for (const up of ["../package.json", "../../package.json"]) {
    try {
      return (JSON.parse(readFileSync(new URL(up, import.meta.url), "utf8")) as { version: string }).version;
    } catch {}
  }
  return "unknown";
}
