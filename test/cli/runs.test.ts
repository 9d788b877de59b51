/** stein runs: runs side by side, without a device. */
import { existsSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Metrics } from "../../cli/metrics-log.ts";
import { findRuns, type RunSummary } from "../../cli/runs.ts";
import { newFolder, removeFolders, steinHere, tiny, tinyOnSde } from "./stein.ts";

afterAll(removeFolders);

const when = new Date("2026-03-04T05:06:07Z");

/** A run's folder as training leaves it. */
function addRun(
  folder: string,
  name: string,
  config: string,
  rows: readonly Metrics[],
  report?: object,
): void {
  const run = join(folder, name);
  mkdirSync(run, { recursive: true });
  writeFileSync(join(run, "config.yaml"), config);
  writeFileSync(join(run, "metrics.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  utimesSync(join(run, "metrics.jsonl"), when, when);
  if (report) writeFileSync(join(run, "report.json"), JSON.stringify(report));
}

const rows = (count: number, loss: (step: number) => number, evalLoss: Record<number, number> = {}) =>
  Array.from(
    { length: count },
    (_, step): Metrics => ({
      ...{ step, loss: loss(step), gradNorm: 1, lr: 1e-3, imagesPerSecond: 8, seconds: (step + 1) / 2 },
      ...(evalLoss[step] !== undefined && { evalLoss: evalLoss[step] }),
    }),
  );

const unexpected = (fault: string): never => expect.fail(fault);

function twoRuns(): string {
  const folder = newFolder();
  const report = { parameters: 12_345, system: { driver: { description: "a card", device: "" } } };
  addRun(
    folder,
    "ncsn/first",
    tiny(),
    rows(120, (s) => 100 - s / 2, { 59: 80, 89: 60, 119: 61 }),
    report,
  );
  addRun(
    folder,
    "second",
    tinyOnSde(),
    rows(3, () => 0.25),
  );
  writeFileSync(join(folder, "second", "metrics.jsonl"), '{"step":3,"lo', { flag: "a" });
  utimesSync(join(folder, "second", "metrics.jsonl"), when, when);
  return folder;
}

describe("runs in a folder and in those within it", () => {
  test("are summed up, with null for what is not known", () => {
    const folder = twoRuns();
    const [first, second] = findRuns(folder, unexpected).map(({ summary }) => summary);
    expect(first).toEqual({
      name: "ncsn/first",
      folder: join(folder, "ncsn/first"),
      network: "ncsn-small",
      parameters: 12_345,
      steps: 120,
      planned: 12,
      lastLoss: 100 - (70 + 119) / 4, // mean of the last 50
      bestEvaluation: { step: 90, loss: 60 },
      imagesPerSecond: (4 * 120) / 60,
      adapter: "a card",
      when: when.toISOString(),
    } satisfies RunSummary);
    expect(second).toMatchObject({
      ...{ name: "second", network: "ncsnpp", parameters: null, steps: 3, lastLoss: 0.25 },
      ...{ bestEvaluation: null, adapter: null },
    });
  });

  test("stand in a table, their losses in a picture", async () => {
    const folder = twoRuns();
    const { code, stdout, complaints } = await steinHere(["runs", "."], { cwd: folder });
    expect(complaints).toEqual([]);
    expect(code).toBe(0);
    expect(stdout).toMatchInlineSnapshot(`
      "run         network     parameters  steps      last loss  best held back  images/s  adapter  when
      ncsn/first  ncsn-small      12,345  120 of 12      52.75  60.00 at 90         8.00  a card   2026-03-04 05:06
      second      ncsnpp               -  3 of 12       0.2500  -                   8.00  -        2026-03-04 05:06

      wrote runs.svg
      "
    `);
    const svg = readFileSync(join(folder, "runs.svg"), "utf8");
    for (const name of ["ncsn/first", "second"]) expect(svg).toContain(`>${name}</text>`);
    expect(svg.match(/<path /g)).toHaveLength(2);
  });

  test("are JSON for machines, which leaves no picture", async () => {
    const folder = twoRuns();
    const { code, stdout } = await steinHere(["runs", ".", "--json"], { cwd: folder });
    expect(code).toBe(0);
    const found = JSON.parse(stdout) as RunSummary[];
    expect(found.map(({ name }) => name)).toEqual(["ncsn/first", "second"]);
    expect(found[0]!.bestEvaluation).toEqual({ step: 90, loss: 60 });
    expect(existsSync(join(folder, "runs.svg"))).toBe(false);
  });

  test("are shown without those that cannot be read, of which it is told why", async () => {
    const folder = twoRuns();
    addRun(folder, "older", "model: {name: nobody}", []);
    addRun(folder, "folders", tiny(), []);
    rmSync(join(folder, "folders", "metrics.jsonl"));
    mkdirSync(join(folder, "folders", "metrics.jsonl"));
    addRun(folder, "third", tiny(), [], { system: {} });
    const { code, stdout, complaints } = await steinHere(["runs", "."], { cwd: folder });
    expect(code).toBe(0);
    expect(stdout).toContain("ncsn/first");
    expect(stdout, "whose report is damaged").toContain("third");
    expect(complaints).toEqual([
      "stein: left out: runs: cannot read folders (EISDIR); check what it is and its rights",
      expect.stringMatching(/^stein: left out: .*older\/config\.yaml/),
    ]);
  });

  test("can be one: the folder itself", () => {
    const [run, ...rest] = findRuns(join(twoRuns(), "second"), unexpected);
    expect(run!.summary.name).toBe(".");
    expect(rest).toEqual([]);
  });

  test("that have not taken a step yet are told, too", async () => {
    const folder = newFolder();
    addRun(folder, "new", tiny(), []);
    const { code, stdout } = await steinHere(["runs", "."], { cwd: folder });
    expect(code).toBe(0);
    expect(stdout).toContain("0 of 12");
    expect(findRuns(folder, unexpected)[0]!.summary).toMatchObject({ lastLoss: null, imagesPerSecond: null });
  });
});

describe("what is refused", () => {
  test.each([
    [
      "runs",
      "runs: got runs, which is no folder, expected one of runs; train one first, or give another folder",
    ],
    [
      "runs .",
      "runs: got ., which holds no run that can be read, expected a folder of what stein train writes; train one first",
    ],
  ])("stein %s", async (command, says) => {
    const { code, stdout, complaints } = await steinHere(command.split(" "), { cwd: newFolder() });
    expect(complaints).toEqual([`stein: ${says}`]);
    expect(stdout).toBe("");
    expect(code).toBe(2);
  });

  test("a run of a configuration that cannot be, by its file's name", async () => {
    const folder = newFolder();
    addRun(folder, "bad", tiny({ training: { lr: -1 } }), []);
    const { code, complaints } = await steinHere(["runs", "."], { cwd: folder });
    expect(complaints[0]).toBe(
      "stein: left out: config: bad/config.yaml: training.lr: got -1, expected a number above 0",
    );
    expect(complaints[1]).toContain("which holds no run that can be read");
    expect(code).toBe(2);
  });
});
