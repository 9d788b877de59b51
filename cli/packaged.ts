import { fileURLToPath } from "node:url";

/** A file of the package, from the sources or from the build. */
export function packaged(path: string): string {
  const here = fileURLToPath(import.meta.url);
  const up = here.endsWith(".ts") ? "../" : "../../";
  return fileURLToPath(new URL(up + path, import.meta.url));
}
