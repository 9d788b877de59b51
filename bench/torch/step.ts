/**
 * NCSN++ for CIFAR-10 in Stein, beside PyTorch: writes weights, inputs and outputs for bench/torch/step.py to compare
 * with, then times a call of the network and a sampling step. Run it with: npx tsx bench/torch/step.ts FOLDER
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Command, Option } from "commander";
import { wholeFrom } from "../../cli/options.ts";
import { writeFileAtomic } from "../../cli/pictures/write.ts";
import { endLine, statusLine } from "../../cli/progress.ts";
import { table } from "../../cli/table.ts";
import { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import { profile } from "../../engine/profiler.ts";
import { measureRoofline } from "../../engine/roofline.ts";
import { countParameters } from "../../models/index.ts";
import { digits } from "../format.ts";
import { measure, progressLine, type Timing } from "../harness.ts";
import { nodeHost } from "../node-host.ts";
import { describeProfile } from "../profile.ts";
import { describeRun } from "../record.ts";
import { profileReport } from "../report.ts";
import type { ProfileRecord } from "../schema.ts";
import { exchangeFile } from "./exchange.ts";
import { openSubject, small } from "./network.ts";
import { type Part, type Precision, parts, type Recorded, Work } from "./work.ts";

interface Options {
  batch: number;
  rounds: number;
  seed: number;
  small: boolean;
  check: boolean;
  tune: boolean;
  profile: boolean;
}

const whole = (flag: string, what: string, least: number, value: number) =>
  new Option(`--${flag} <n>`, what).default(value).argParser(wholeFrom(least, `--${flag}`));

const program = new Command("step")
  .description(
    "A call and a sampling step of NCSN++ for CIFAR-10, timed, and the file that bench/torch/step.py compares itself " +
      "with. See docs/gpu-torch.md.",
  )
  .argument("<folder>", "for exchange.safetensors (250 MB) and stein.json")
  .addOption(whole("batch", "images at a time", 1, 64))
  .addOption(whole("rounds", "timed rounds of all work", 1, 20))
  .addOption(whole("seed", "of weights, inputs and noise", 0, 1))
  .option("--small", "an eighth of the width and one block a level: to compare on a processor", false)
  .option("--check", "write exchange.safetensors only", false)
  .option("--tune", "first measure which kernels are fastest on this adapter", false)
  .option("--profile", "also tell the steps' time apart by kernels", false)
  .action(run);

async function run(folder: string, options: Options): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const engine = await Engine.create(options.tune ? { autotune: "on" } : {});
  try {
    const subject = openSubject(engine, { seed: options.seed, model: options.small ? small : {} });
    const work = new Work(engine, subject, options);
    const precisions: Precision[] = engine.device.features.has("shader-f16") ? ["f32", "f16"] : ["f32"];
    for (const precision of precisions) {
      statusLine(`${precision}: compiling${options.tune ? " and tuning" : ""}`);
      await engine.prepare(work.body(precision, "step"));
    }
    statusLine("comparing");
    writeFileAtomic(join(folder, "exchange.safetensors"), await exchangeFile(engine, subject, work));
    if (options.check) return;

    const recorded = precisions.flatMap((p) => parts.map((part) => work.record(p, part)));
    work.restart();
    const host = nodeHost();
    const { timings, faults, timestampStep } = await measure(
      engine,
      recorded.map((r) => work.caseOf(r)),
      { rounds: options.rounds, host, onProgress: (p) => statusLine(progressLine(p)) },
    );
    statusLine("");
    if (faults.length > 0) throw new Error(`torch: ${faults[0]!.case.name}: ${faults[0]!.what}`);
    await work.requireFinite();
    const run = describeRun(engine, host, { timestampStep });
    const rows = precisions.map((name) => ({
      name,
      ...(Object.fromEntries(parts.map((part) => [part, described(name, part, recorded, timings)])) as Record<
        Part,
        ReturnType<typeof described>
      >),
    }));
    console.log(`${run.adapter}, batch ${options.batch}, ${countParameters(subject.network)} parameters`);
    console.log(timesTable(rows));
    const profiles = options.profile ? await profiled(engine, recorded, work) : [];
    for (const record of profiles) console.log(`\n${profileReport(record)}`);
    const record = {
      ...run,
      kind: "stein",
      ...options,
      parameters: countParameters(subject.network),
      peakBytes: engine.memory().peak,
      rows,
      profiles,
    };
    writeFileAtomic(join(folder, "stein.json"), `${JSON.stringify(record, null, 2)}\n`);
  } finally {
    engine.destroy();
  }
}

function described(
  precision: Precision,
  part: Part,
  recorded: readonly Recorded[],
  timings: readonly Timing[],
) {
  const { kernels, bytes, flops } = recorded.find((r) => r.precision === precision && r.part === part)!;
  const { wall, gpu, alone, by } = timings.find((t) => t.case.name === `${precision} ${part}`)!;
  return { kernels, bytes, flops, wall, gpu, alone, by };
}

function timesTable(
  rows: readonly ({ name: string } & Record<Part, ReturnType<typeof described>>)[],
): string {
  const cells = rows.flatMap(({ name, ...row }) =>
    parts.map((part) => {
      const { kernels, flops, wall, gpu } = row[part];
      const { median, lower, upper } = gpu ?? wall;
      return [
        `${name} ${part}`,
        String(kernels),
        digits(median),
        `${digits(lower)} - ${digits(upper)}`,
        digits(wall.median),
        digits(flops / median / 1e9),
      ];
    }),
  );
  const clock = rows[0]!.step.gpu ? "device ms" : "ms";
  return table(["", "kernels", clock, "middle half", "wall ms", "TFLOP/s"], cells);
}

/** Where the steps' time goes. */
async function profiled(engine: Engine, recorded: readonly Recorded[], work: Work): Promise<ProfileRecord[]> {
  const { clock, launchMicroseconds, ...rates } = await measureRoofline(engine);
  const roofs = { ...rates, dispatchMicroseconds: launchMicroseconds };
  const records: ProfileRecord[] = [];
  for (const { precision, part, capture } of recorded) {
    if (part !== "step") continue;
    work.restart();
    const measured = await profile(engine, capture);
    const same = measured.clock === clock ? roofs : undefined; // a share mixes no clocks
    records.push(describeProfile(`sampling step, ${precision}`, measured, same));
  }
  return records;
}

try {
  await program.parseAsync();
} catch (fault) {
  endLine();
  if (!(fault instanceof UsageError)) throw fault;
  console.error(`step: ${fault.message}`);
  process.exitCode = 2;
}
