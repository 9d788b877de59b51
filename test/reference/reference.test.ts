import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { engine } from "../support/engine.ts";
import { readCases } from "./case.ts";
import { explain, runCase } from "./suite.ts";

/** Beside the repository, where the reference data lies on the machines that have it. */
const folder = join(import.meta.dirname, "../../../shared/reference");
const present = existsSync(join(folder, "index.json"));
const cases = present ? readCases(folder).filter((c) => c.kind === "ops") : [];

const liveBefore = engine.memory().live;

describe.skipIf(!present)("published ops, forward and all gradients", () => {
  test.each(cases.map((c) => [c.name, c] as const))("%s", async (_, c) => {
    const outcome = await runCase(engine, c);
    expect(explain(outcome)).toEqual([]);
    expect(outcome.passed).toBe(true);
  });

  test("all of it is given back", () => {
    expect(engine.memory().live).toBe(liveBefore);
  });
});
