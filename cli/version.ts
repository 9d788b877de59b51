import { readFileSync } from "node:fs";
import { packaged } from "./packaged.ts";

/** The package's version. */
export const version = (): string =>
  (JSON.parse(readFileSync(packaged("package.json"), "utf8")) as { version: string }).version;
