import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    packageFolder: string;
  }
}

/** Names the folder that the package is installed into, should a test want it, and takes it away when all tests have run. */
export default function setup(project: TestProject): () => void {
  const folder = join(tmpdir(), `stein-package-${randomUUID()}`);
  project.provide("packageFolder", folder);
  return () => rmSync(folder, { recursive: true, force: true });
}
