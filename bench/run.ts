import { writeFileAtomic } from "../cli/pictures/write.ts";
import { requireWritableFile } from "../cli/writable.ts";
import { Engine } from "../engine/engine.ts";
import { UsageError } from "../engine/errors.ts";
import { profile } from "../engine/profiler.ts";
import { measureRoofline } from "../engine/roofline.ts";
import { chosen, groups, matches, selected } from "./cases.ts";
import { coldSteps } from "./cold.ts";
import { cases as demo, demoName, demoTrainer } from "./demo.bench.ts";
import { type Grid, type GridSize, gridOf } from "./grid/grid.ts";
import { gridNetworks } from "./grid/networks.ts";
import { type Case, type Measured, measure, progressLine } from "./harness.ts";
import { htmlReport } from "./html/report.ts";
import { measureLoading } from "./loading.ts";
import { nodeHost } from "./node-host.ts";
import { aloneTime } from "./processor.ts";
import { describeProfile } from "./profile.ts";
import { Rates } from "./rates.ts";
import { describeRun, linesOf, requireSameAdapter } from "./record.ts";
import { readRecord, writeRecord } from "./record-file.ts";
import { coldReport, loadingReport, memoryReport, profileReport, report } from "./report.ts";
import { cases as sampling } from "./sampling.bench.ts";
import type { Line, ProfileRecord, RunRecord } from "./schema.ts";
import { steps } from "./steps.ts";
import { dilatedName } from "./training.bench.ts";

interface BenchOptions {
  /** Only cases whose family, name or shape holds this; the roofline and a matmul always run. */
  readonly filter?: string;
  /** Timed rounds of all cases. */
  readonly rounds: number;
  /** How much of the published networks is measured besides the families; "none" for nothing. */
  readonly grid: GridSize | "none";
  /** Images that go through the published networks at once; unless given one, on a GPU 16. */
  readonly batch?: number | undefined;
  /** Where to write the run as JSON lines. */
  readonly json?: string;
  /** Where to write it as a page. */
  readonly html?: string;
  /** An earlier run to compare times with. */
  readonly compare?: string;
  /** Also where the time of the training and sampling steps goes, and the memory. */
  readonly profile?: boolean;
  /** Also what images cost a training step: a folder of JPEG files, in memory and streamed. */
  readonly loading?: boolean;
  /** More to measure for the page and the lines, after the cases. */
  readonly more?: (engine: Engine) => Promise<readonly Line[]>;
  /** Told what is being done. */
  readonly onProgress: (line: string) => void;
}

/**
 * Every kernel against this adapter's own limits: prints the report. Tells whether all results were right. Throws
 * UsageError for an earlier run that cannot be read or is of another adapter, for a file that cannot be written, and for
 * a filter that no case holds.
 */
export async function benchKernels(options: BenchOptions): Promise<boolean> {
  const { onProgress } = options;
  const old = options.compare === undefined ? undefined : readRecord(options.compare);
  for (const option of ["json", "html"] as const) {
    const file = options[option];
    if (file !== undefined) requireWritableFile("bench", file, `--${option}`);
  }
  const engine = await Engine.create({ quiet: true });
  try {
    if (old) requireSameAdapter(engine, old, options.compare!);
    const grid = await openGrid(engine, options);
    const more = [...demo, ...sampling, ...grid.cases];
    requireMatch(options.filter, selected(engine, options.filter, more), [...grid.leftOut, ...steps]);
    const { run, measured } = await measureCases(engine, more, options);
    const rates = new Rates(measured.timings);
    const timed = new Set(measured.timings.map((t) => t.case.name));
    onProgress("first steps in new processes");
    const cold = timed.has(dilatedName) ? await coldSteps() : undefined;
    onProgress("");
    console.log(report(run, measured, rates, { old, leftOut: grid.leftOut }));
    if (cold) console.log(`\n${coldReport(cold)}`);
    if (options.loading) console.log(`\n${loadingReport(await measureLoading(engine))}`);
    const profiles = options.profile ? await profiled(engine, options.filter, rates) : [];
    const lines: Line[] = [
      ...linesOf(run, measured, grid.leftOut),
      ...(cold ? [{ kind: "cold" as const, ...cold }] : []),
      ...profiles,
      ...((await options.more?.(engine)) ?? []),
    ];
    if (options.json !== undefined) writeRecord(options.json, lines);
    if (options.html !== undefined) writeFileAtomic(options.html, htmlReport(lines, old));
    return measured.faults.length === 0;
  } finally {
    engine.destroy();
  }
}

/** Throws UsageError for a filter by which nothing is chosen but the roofline and what always runs beside it. */
export function requireMatch(
  filter: string | undefined,
  cases: readonly Case[],
  others: readonly { readonly name: string }[],
): void {
  if (cases.some((one) => chosen(one, filter)) || others.some(({ name }) => matches(name, filter))) return;
  throw new UsageError(
    `bench: got --filter ${filter}, which no case's family, name or shape holds; families are ${groups.join(", ")}`,
  );
}

async function openGrid(engine: Engine, options: BenchOptions): Promise<Grid> {
  const { grid, filter, onProgress } = options;
  if (grid === "none") return { cases: [], leftOut: [] };
  const { batch = engine.hardware.kind === "gpu" ? 16 : 1 } = options;
  onProgress("walking through the published networks");
  const { cases, leftOut } = gridOf(engine, gridNetworks(engine, batch), grid, await measureRoofline(engine));
  return { cases, leftOut: leftOut.filter(({ name }) => matches(name, filter)) };
}

async function measureCases(
  engine: Engine,
  more: readonly Case[],
  { filter, rounds, onProgress }: BenchOptions,
): Promise<{ run: RunRecord; measured: Measured }> {
  const host = nodeHost();
  const load = host.watchLoad();
  const measured = await measure(engine, selected(engine, filter, more), {
    rounds,
    host,
    onProgress: (progress) => onProgress(progressLine(progress)),
  });
  return {
    run: describeRun(engine, host, { load: load?.(), timestampStep: measured.timestampStep }),
    measured,
  };
}

/** By which of the cases' times the roofs are that a profile is held against. */
const clocks = { timestamps: "gpu", "wall clock": "median", "processor time": "alone" } as const;

/** Prints where the steps' time goes, and gives it as lines. */
async function profiled(engine: Engine, filter: string | undefined, rates: Rates): Promise<ProfileRecord[]> {
  const records: ProfileRecord[] = [];
  for (const { name, capture } of steps.filter((step) => matches(step.name, filter))) {
    const result = await profile(engine, capture(engine), { processorTime: aloneTime });
    const record = describeProfile(name, result, rates.roofs(clocks[result.clock]));
    records.push(record);
    console.log(`\n${profileReport(record)}`);
    if (name === demoName) console.log(memoryReport(demoTrainer(engine).memory()));
  }
  return records;
}
