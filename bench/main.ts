import { parseArgs } from "node:util";
import { Engine } from "../engine/engine.ts";
import { DeviceError, UsageError } from "../engine/errors.ts";
import { profile } from "../engine/profiler.ts";
import { selected } from "./cases.ts";
import { coldSteps } from "./cold.ts";
import { measure } from "./harness.ts";
import { LoadWatch } from "./load.ts";
import { measureLoading } from "./loading.ts";
import { Rates } from "./rates.ts";
import { describeRun, readRecord, writeRecord } from "./record.ts";
import { coldReport, loadingReport, memoryReport, profileReport, report } from "./report.ts";
import { captures, dilatedName, memories } from "./training.bench.ts";

const help = `npm run bench -- [options]
  --filter TEXT    only cases whose family, name or shape holds TEXT; the roofline and a matmul always run
  --rounds N       timed rounds of all cases, 9 or more for firm medians (default 9)
  --json FILE      write the run as JSON lines
  --compare FILE   ratio of times to those of an earlier --json FILE; changes beyond the spread are flagged
  --profile        where the time of the training steps goes, kernel by kernel, and their memory
  --loading        what images cost a training step: a folder of JPEG files, in memory and streamed`;

try {
  await main();
} catch (fault) {
  const known = fault instanceof UsageError || fault instanceof DeviceError;
  console.error(known ? fault.message : fault);
  process.exitCode = fault instanceof UsageError ? 2 : 1;
}

async function main(): Promise<void> {
  const options = readOptions();
  if (options.help) return console.log(help);
  const old = options.compare === undefined ? undefined : readRecord(options.compare);
  const engine = await Engine.create({ quiet: true });
  try {
    const cases = selected(engine, options.filter);
    const load = new LoadWatch();
    const measured = await measure(engine, cases, { rounds: options.rounds, onProgress });
    const run = describeRun(engine, load);
    const rates = new Rates(measured.timings);
    onProgress("first steps in new processes");
    const cold = cases.some((c) => c.name === dilatedName) ? await coldSteps() : undefined;
    onProgress("");
    console.log(report(run, measured, rates, old));
    if (cold) console.log(`\n${coldReport(cold)}`);
    if (options.loading) console.log(`\n${loadingReport(await measureLoading(engine))}`);
    if (options.json !== undefined) writeRecord(options.json, run, measured, rates, cold);
    if (options.profile)
      for (const { name } of cases.filter((c) => c.name in captures)) {
        console.log(`\n${profileReport(name, await profile(engine, captures[name]!(engine)))}`);
        if (name in memories) console.log(memoryReport(memories[name]!(engine)));
      }
    if (measured.faults.length > 0) process.exitCode = 1;
  } finally {
    engine.destroy();
  }
}

function readOptions() {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  try {
    const { values } = parseArgs({
      options: {
        filter: text,
        rounds: { ...text, default: "9" },
        json: text,
        compare: text,
        profile: flag,
        loading: flag,
        help: flag,
      },
    });
    const rounds = Number(values.rounds);
    if (!Number.isInteger(rounds) || rounds < 1)
      throw new Error(`got --rounds ${values.rounds}, expected a whole number from 1`);
    return { ...values, rounds };
  } catch (cause) {
    throw new UsageError(`bench: ${cause instanceof Error ? cause.message : cause}\n${help}`);
  }
}

/** One line on a terminal that the next overwrites. */
function onProgress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}
