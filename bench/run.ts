import type { Capture } from "../engine/capture.ts";
import { Engine } from "../engine/engine.ts";
import { profile } from "../engine/profiler.ts";
import { selected } from "./cases.ts";
import { coldSteps } from "./cold.ts";
import { cases as demo, demoName, demoTrainer } from "./demo.bench.ts";
import { measure, progressLine } from "./harness.ts";
import { measureLoading } from "./loading.ts";
import { nodeHost } from "./node-host.ts";
import { Rates } from "./rates.ts";
import { describeRun, linesOf, requireSameAdapter } from "./record.ts";
import { readRecord, writeRecord } from "./record-file.ts";
import { coldReport, loadingReport, memoryReport, profileReport, report } from "./report.ts";
import { dilatedCapture, dilatedName } from "./training.bench.ts";

/** The captured steps, by the names of their cases. */
const captures: Record<string, (engine: Engine) => Capture<unknown>> = {
  [dilatedName]: dilatedCapture,
  [demoName]: (engine) => demoTrainer(engine).captured!,
};

export interface BenchOptions {
  /** Only cases whose family, name or shape holds this; the roofline and a matmul always run. */
  readonly filter?: string;
  /** Timed rounds of all cases. */
  readonly rounds: number;
  /** Where to write the run as JSON lines. */
  readonly json?: string;
  /** An earlier run to compare times with. */
  readonly compare?: string;
  /** Also where the time and the memory of the training steps go. */
  readonly profile?: boolean;
  /** Also what images cost a training step: a folder of JPEG files, in memory and streamed. */
  readonly loading?: boolean;
  /** Told what is being done. */
  readonly onProgress: (line: string) => void;
}

/**
 * Every kernel against this adapter's own limits: prints the report. Tells whether all results were right. Throws
 * UsageError for an earlier run that cannot be read.
 */
export async function benchKernels(options: BenchOptions): Promise<boolean> {
  const { onProgress } = options;
  const old = options.compare === undefined ? undefined : readRecord(options.compare);
  const engine = await Engine.create({ quiet: true });
  try {
    if (old) requireSameAdapter(engine, old, options.compare!);
    const cases = selected(engine, options.filter, demo);
    const host = nodeHost();
    const load = host.watchLoad();
    const measured = await measure(engine, cases, {
      rounds: options.rounds,
      host,
      onProgress: (progress) => onProgress(progressLine(progress)),
    });
    const run = describeRun(engine, host, { load: load?.(), timestampStep: measured.timestampStep });
    const rates = new Rates(measured.timings);
    onProgress("first steps in new processes");
    const cold = cases.some((c) => c.name === dilatedName) ? await coldSteps() : undefined;
    onProgress("");
    console.log(report(run, measured, rates, old));
    if (cold) console.log(`\n${coldReport(cold)}`);
    if (options.loading) console.log(`\n${loadingReport(await measureLoading(engine))}`);
    if (options.json !== undefined)
      writeRecord(options.json, [
        ...linesOf(run, measured),
        ...(cold ? [{ kind: "cold" as const, ...cold }] : []),
      ]);
    if (options.profile)
      for (const { name } of cases.filter((c) => c.name in captures)) {
        console.log(`\n${profileReport(name, await profile(engine, captures[name]!(engine)))}`);
        if (name === demoName) console.log(memoryReport(demoTrainer(engine).memory()));
      }
    return measured.faults.length === 0;
  } finally {
    engine.destroy();
  }
}
