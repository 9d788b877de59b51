import { describe, expect, test } from "vitest";
import { readCases } from "../reference/case.ts";
import { explain, runCase } from "../reference/suite.ts";
import { engine } from "../support/engine.ts";

const all = readCases("../shared/reference");
const named = (...beginnings: string[]) =>
  all
    .filter((c) => c.kind === "samplers" && beginnings.some((text) => c.name.startsWith(text)))
    .map((c) => [c.name, c] as const);
const sdes = all.filter((c) => c.kind === "sde").map((c) => [c.name, c] as const);
const liveBefore = engine.memory().live;

describe("as published", () => {
  test.each([...sdes, ...named("update_", "pc_")])("%s", async (_, c) => {
    expect(explain(await runCase(engine, c))).toEqual([]);
  });

  test("all of it is given back", () => {
    expect(engine.memory().live).toBe(liveBefore);
  });
});
