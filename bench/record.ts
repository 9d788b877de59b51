import { readFileSync, writeFileSync } from "node:fs";
import type { Engine } from "../engine/engine.ts";
import { UsageError } from "../engine/errors.ts";
import type { ColdSteps } from "./cold.ts";
import type { Measured, Spread, Timing } from "./harness.ts";
import type { LoadWatch } from "./load.ts";
import { type Rates, rate, steadiest, units } from "./rates.ts";

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

/** Of a case: a line each after that. The rate and its share are of the steadiest times. */
export interface CaseRecord {
  readonly kind: "case";
  readonly name: string;
  readonly group: string;
  readonly shape: string;
  readonly bound: string;
  readonly rounds: number;
  readonly wall: Spread;
  readonly alone?: Spread | undefined;
  readonly rate?: number | undefined;
  readonly unit: string;
  readonly ofRoofline?: number | undefined;
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
  const { rounds, wall, alone } = t;
  const by = steadiest(t);
  const figures = { rate: rate(t, by), unit: units[bound], ofRoofline: rates.ofRoofline(t, by) };
  return { kind: "case", name, group, shape, bound, rounds, wall, alone, ...figures };
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

export interface OldRecord {
  readonly run: RunRecord;
  readonly cases: ReadonlyMap<string, CaseRecord>;
}

/** An earlier run by the names of its cases. Throws UsageError for a file that holds none. */
export function readRecord(path: string): OldRecord {
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

/** How a case's time changed: new over old, and whether the middle halves lie apart. */
export function change(t: Timing, old: CaseRecord): { ratio: number; beyondSpread: boolean } {
  const [now, then] = t.alone && old.alone ? [t.alone, old.alone] : [t.wall, old.wall];
  return { ratio: now.median / then.median, beyondSpread: now.lower > then.upper || now.upper < then.lower };
}
