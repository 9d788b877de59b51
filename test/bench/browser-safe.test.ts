/** The bench's core runs in a browser: nothing that it imports comes from Node. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";
import { browserHost } from "../../bench/host.ts";

interface Reached {
  readonly files: ReadonlySet<string>;
  /** Modules that are no files of the project, each with a way to it. */
  readonly modules: ReadonlyMap<string, string>;
}

/** What a file imports when it is loaded, directly or not; a dynamic import is one that a browser need not take. */
function reached(entry: string): Reached {
  const files = new Set<string>();
  const modules = new Map<string, string>();
  const visit = (file: string, way: string): void => {
    if (files.has(file)) return;
    files.add(file);
    const text = readFileSync(file, "utf8");
    for (const [, types, path] of text.matchAll(
      /^(?:import|export)\s+(type\s)?(?:[^;"]*?from\s+)?"([^"]+)"/gms,
    )) {
      if (types) continue;
      const next = join(dirname(file), path!);
      if (path!.startsWith(".")) visit(next, `${way} -> ${relative(".", next)}`);
      else modules.set(path!, way);
    }
  };
  visit(entry, entry);
  return { files, modules };
}

test("bench/index.ts reaches zod and nothing else outside of the project", () => {
  const { files, modules } = reached("bench/index.ts");
  expect(Object.fromEntries(modules)).toEqual({ zod: expect.any(String) });
  expect([...files].every((file) => existsSync(file))).toBe(true);
  for (const file of [
    "bench/harness.ts",
    "bench/kernels/conv2d.bench.ts",
    "bench/fusion.ts",
    "engine/ops/index.ts",
  ])
    expect(files).toContain(file);
});

test("the walk finds Node where it is", () => {
  expect([...reached("bench/run.ts").modules.keys()]).toContain("node:fs");
  expect([...reached("bench/harness.ts").files]).not.toContain("bench/processor.ts");
});

test("a browser's host tells what the browser tells, and neither processor time nor load", () => {
  const host = browserHost();
  expect(host.threadsTime()).toBeUndefined();
  expect(host.watchLoad()).toBeUndefined();
  expect(host.cores).toBeGreaterThanOrEqual(1);
  expect(host.runtime).not.toBe("");
});
