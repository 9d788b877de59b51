import { readFileSync, writeFileSync } from "node:fs";
import type { Engine } from "../engine/engine.ts";
import { UsageError } from "../engine/errors.ts";
import type { ColdSteps } from "./cold.ts";
import type { Measured, Timing } from "./harness.ts";
import type { LoadWatch } from "./load.ts";
import { type Rates, rate, units } from "./rates.ts";

/** Of a run as a whole: the first line of its file. */
export interface RunRecord {
  readonly kind: "run";
  readonly date: string;
  readonly adapter: string;
  readonly driver: Engine["driver"];
  readonly node: string;
  readonly platform: string;
  readonly load: ReturnType<LoadWatch["report"]>;
}

/** Of a case: a line each after that. Times in milliseconds. */
export interface CaseRecord {
  readonly kind: "case";
  readonly name: string;
  readonly group: string;
  readonly shape: string;
  readonly bound: string;
  readonly median: number;
  readonly lower: number;
  readonly upper: number;
  readonly best: number;
  readonly rounds: number;
  readonly rate: number | undefined;
  readonly unit: string;
  readonly ofRoofline: number | undefined;
}

export const adapterName = ({ driver }: Engine): string => driver.description || driver.device || "unnamed";

export const describeRun = (engine: Engine, load: LoadWatch): RunRecord => ({
  kind: "run",
  date: new Date().toISOString(),
  adapter: adapterName(engine),
  driver: engine.driver,
  node: process.version,
  platform: `${process.platform} ${process.arch}`,
  load: load.report(),
});

const describeCase = (t: Timing, rates: Rates): CaseRecord => {
  const { name, group, shape, bound } = t.case;
  const { median, lower, upper, best, times } = t;
  return {
    kind: "case",
    name,
    group,
    shape,
    bound,
    median,
    lower,
    upper,
    best,
    rounds: times.length,
    rate: rate(t),
    unit: units[bound],
    ofRoofline: rates.ofRoofline(t),
  };
};

/** Writes a run as JSON lines. */
export function writeRecord(
  path: string,
  run: RunRecord,
  { timings }: Measured,
  rates: Rates,
  cold?: ColdSteps,
): void {
  const lines = [
    run,
    ...timings.map((t) => describeCase(t, rates)),
    ...(cold ? [{ kind: "cold", ...cold }] : []),
  ];
  writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
}

/** An earlier run by the names of its cases. Throws UsageError for a file that holds none. */
export function readRecord(path: string): { run: RunRecord; cases: ReadonlyMap<string, CaseRecord> } {
  let lines: (RunRecord | CaseRecord)[];
  try {
    lines = readFileSync(path, "utf8")
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  } catch (cause) {
    throw new UsageError(`bench: cannot read ${path} (${cause}); give a file written by --json`);
  }
  const run = lines.find((line) => line.kind === "run");
  if (!run) throw new UsageError(`bench: ${path} holds no run; give a file written by --json`);
  return {
    run,
    cases: new Map(lines.flatMap((line) => (line.kind === "case" ? [[line.name, line] as const] : []))),
  };
}

/** How a case's time changed: new over old, and whether their middle halves lie apart. */
export function change(t: Timing, old: CaseRecord): { ratio: number; beyondSpread: boolean } {
  return { ratio: t.median / old.median, beyondSpread: t.lower > old.upper || t.upper < old.lower };
}
