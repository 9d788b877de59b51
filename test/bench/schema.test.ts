/** What a run's file holds: the schema that is published, and what is said of a file that departs from it. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseLines, parseRecord } from "../../bench/parse-record.ts";
import { textOf } from "../../bench/record.ts";
import { jsonSchema, type Line, line } from "../../bench/schema.ts";
import { caseOf, roofs, run, spread } from "./records.ts";

const lines: Line[] = [
  run,
  roofs,
  caseOf("matmul 512", "matmul", {
    gpu: spread(9),
    intensity: 10,
    limit: "compute",
    ofRoofline: 0.4,
    rate: 40,
  }),
  { kind: "target", text: "fast", met: true, figures: ["matmul 512: 40 GFLOP/s"] },
  { kind: "fault", name: "conv", what: "error 1" },
  { kind: "left-out", name: "huge", reason: "too large" },
];

describe("the schema", () => {
  test("docs/bench.schema.json is written from it: npx tsx scripts/bench-schema.ts", () => {
    expect(JSON.parse(readFileSync("docs/bench.schema.json", "utf8"))).toEqual(
      JSON.parse(JSON.stringify(jsonSchema())),
    );
  });

  test("names every kind of line", () => {
    const kinds = JSON.stringify(jsonSchema()).match(/"const":"[a-z-]+"/g);
    expect(kinds?.map((k) => k.slice(9, -1)).toSorted()).toEqual([
      "case",
      "cold",
      "fault",
      "fusion",
      "left-out",
      "profile",
      "roofs",
      "run",
      "target",
    ]);
  });

  test("reads back what was written", () => {
    expect(parseLines(textOf(lines), "x.jsonl")).toEqual(lines);
    const { run: read, cases } = parseRecord(textOf(lines), "x.jsonl");
    expect(read).toEqual(run);
    expect([...cases.keys()]).toEqual(["matmul 512"]);
  });

  test.each<[string, object]>([
    ["a negative time", { ...lines[2], wall: { ...spread(10), best: -1 } }],
    ["a clock that does not exist", { ...lines[2], by: "sundial" }],
    ["no rounds", { ...lines[2], rounds: 0 }],
    ["a line of another version", { ...run, version: 0 }],
    ["an unknown kind", { kind: "poem" }],
  ])("refuses %s", (_, value) => {
    expect(line.safeParse(value).success).toBe(false);
  });
});

describe("a file that is none of ours", () => {
  test("names the line that is no JSON", () => {
    expect(() =>
      parseLines(`${JSON.stringify(run)}\n{"kind":`, "old.jsonl"),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: bench: line 2 of old.jsonl is no JSON; give a file written by --json]`,
    );
  });

  test("names the line and the field", () => {
    const broken = { ...lines[2], wall: { median: "fast" } };
    expect(() => parseLines(JSON.stringify(broken), "old.jsonl")).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: bench: line 1 of old.jsonl: wall.median: Invalid input: expected number, received string; give a file written by this version's --json]`,
    );
  });

  test("says where a run is missing", () => {
    expect(() => parseRecord(textOf(lines.slice(1)), "old.jsonl")).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: bench: old.jsonl holds no run; give a file written by --json]`,
    );
  });
});
