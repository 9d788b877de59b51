#!/usr/bin/env node
// In a clone the TypeScript sources run as they are; in the installed package their build does.
import { existsSync } from "node:fs";

try {
  process.cwd();
} catch {
  console.error(
    "stein: got a working folder that was deleted, expected one that is there; change to another",
  );
  process.exit(2);
}

const source = new URL("../cli/main.ts", import.meta.url);
if (existsSync(source)) {
  const { register } = await import("tsx/esm/api");
  register();
  await import(source.href);
} else {
  await import("../dist/cli/main.js");
}
