/** What counts as a change between two runs. */
import { describe, expect, test } from "vitest";
import { change, requireSameAdapter } from "../../bench/record.ts";
import type { Engine } from "../../engine/engine.ts";
import { caseOf, run, spread } from "./records.ts";

const then = caseOf("conv", "conv2d", { wall: spread(10, 1) });
const now = (median: number, half: number) => caseOf("conv", "conv2d", { wall: spread(median, half) });

describe("a change", () => {
  test("is new over old", () => {
    expect(change(now(15, 1), then).ratio).toBe(1.5);
    expect(change(now(5, 1), then).ratio).toBe(0.5);
  });

  test.each([
    ["slower, the middle halves apart", 13, 1, true],
    ["faster, the middle halves apart", 7, 1, true],
    ["slower, but the middle halves meet", 12, 1, false],
    ["slower, this run widely spread", 15, 5, false],
    ["the same", 10, 1, false],
  ])("%s: %d +- %d to 10 +- 1", (_, median, half, beyondSpread) => {
    expect(change(now(median, half), then).beyondSpread).toBe(beyondSpread);
  });

  test("of less than 3 % is none, however steady the times", () => {
    const steady = caseOf("conv", "conv2d", { wall: spread(10, 0.001) });
    expect(change(now(10.29, 0.001), steady).beyondSpread).toBe(false);
    expect(change(now(10.31, 0.001), steady).beyondSpread).toBe(true);
  });

  test("goes by processor time where both runs have it, else by the wall clock", () => {
    const alone = caseOf("conv", "conv2d", { wall: spread(10), alone: spread(4), by: "alone" });
    const quicker = caseOf("conv", "conv2d", { wall: spread(20), alone: spread(2), by: "alone" });
    expect(change(quicker, alone).ratio).toBe(0.5);
    expect(change(quicker, then).ratio).toBe(2);
  });
});

test("runs of two adapters are not compared", () => {
  const here = { driver: { description: "Other GPU", device: "" } } as unknown as Engine;
  expect(() =>
    requireSameAdapter(here, { run, cases: new Map() }, "old.jsonl"),
  ).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: bench: old.jsonl was measured on Example <GPU> & "co", this is Other GPU: times of two adapters tell nothing of a change; compare with a run of this one]`,
  );
  const same = { driver: { description: run.adapter, device: "" } } as unknown as Engine;
  expect(() => requireSameAdapter(same, { run, cases: new Map() }, "old.jsonl")).not.toThrow();
});
