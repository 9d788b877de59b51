import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { engine } from "../support/engine.ts";
import { readCases } from "./case.ts";
import { explain, runCase } from "./suite.ts";

/** Beside the repository, where the reference data lies on the machines that have it. */
const folder = join(import.meta.dirname, "../../../shared/reference");
const present = existsSync(join(folder, "index.json"));
const cases = present ? readCases(folder) : [];

const liveBefore = engine.memory().live;

describe.skipIf(!present).each([
  ["ops", "published ops, forward and all gradients"],
  ["losses", "published losses and all their gradients"],
  ["techniques", "published noise schedules and the rules behind them"],
  ["training", "published averages, optimizers and short trainings"],
])("%s: %s", (kind) => {
  const here = cases.filter((c) => c.kind === kind);

  test.each(here.map((c) => [c.name, c] as const))("%s", async (_, c) => {
    const outcome = await runCase(engine, c);
    expect(explain(outcome)).toEqual([]);
    expect(outcome.passed).toBe(true);
  });

  test("all of it is given back", () => {
    expect(here.length).toBeGreaterThan(0);
    expect(engine.memory().live).toBe(liveBefore);
  });
});
