import { type Command, Option } from "commander";
import { measureFusion } from "../../bench/fusion.ts";
import { fusionReport } from "../../bench/fusion-report.ts";
import { gridSizes } from "../../bench/grid/grid.ts";
import { progressLine } from "../../bench/harness.ts";
import { nodeHost } from "../../bench/node-host.ts";
import { describeFusion, describeRun, textOf } from "../../bench/record.ts";
import { benchKernels } from "../../bench/run.ts";
import type { Line } from "../../bench/schema.ts";
import { Engine } from "../../engine/engine.ts";
import { expectedOneOf, UsageError } from "../../engine/errors.ts";
import { type Config, readConfig } from "../config.ts";
import { most } from "../limits.ts";
import { imageOf, openNetwork } from "../network.ts";
import { wholeFrom } from "../options.ts";
import { packaged } from "../packaged.ts";
import { statusLine } from "../progress.ts";
import { conditionOf, scoreOf } from "../score.ts";

const rounds = () =>
  new Option("--rounds <n>", "timed rounds of all cases, 9 or more for firm medians")
    .default(9)
    .argParser(wholeFrom(1, "--rounds"));

export function benchCommand(program: Command): void {
  const command = program.command("bench").description("measure kernels and sampling steps on this adapter");
  command.addHelpText(
    "after",
    "\nWithout a command: kernels, whose options are listed by stein bench kernels --help. Guide: docs/bench.md",
  );
  command
    .command("kernels", { isDefault: true })
    .description("every kernel against this adapter's own limits")
    .option("--filter <text>", "only cases whose family, name or shape holds it; the roofline always runs")
    .addOption(rounds())
    .addOption(
      new Option("--grid <size>", "ops of published networks at their own shapes, besides")
        .choices([...gridSizes, "none"])
        .default("small"),
    )
    .option(
      "--batch <n>",
      "images that go through those networks at once; 1, or 16 on a GPU, unless given",
      wholeFrom(1, "--batch", most.benched),
    )
    .option("--json <file>", "write the run as JSON lines, as docs/bench.schema.json says")
    .option("--html <file>", "write the run as one page, with the steps' profiles")
    .option(
      "--compare <file>",
      "ratio of times to an earlier --json file; changes beyond the spread are flagged",
    )
    .option("--profile", "where the time of the training steps goes, kernel by kernel, and their memory")
    .option("--fusion", "for the file and the page: a sampler's step by every path, at batch 8")
    .option("--loading", "what images cost a training step: a folder of JPEG files, in memory and streamed")
    .allowExcessArguments()
    .action(async ({ fusion, profile, ...options }, { args: [word] }: Command) => {
      if (word !== undefined)
        throw new UsageError(`bench: got ${word}, ${expectedOneOf(word, ["kernels", "fusion"])}`);
      const right = await benchKernels({
        ...options,
        profile: profile || options.html !== undefined,
        more: fusion ? (engine: Engine) => fusionLines(engine, options.rounds) : undefined,
        onProgress: told(),
      });
      if (!right) process.exitCode = 1;
    });
  command
    .command("fusion")
    .description(
      "a sampler's step by every path, from separate ops to the update in the network's last kernel",
    )
    .option(
      "--config <file>",
      "the configuration whose network is sampled, untrained; configs/demo.yaml unless given",
    )
    .option("--batches <list>", "batch sizes", batchesOf, [1, 8, 32, 128])
    .addOption(rounds())
    .option("--json", "as JSON lines, as docs/bench.schema.json says")
    .action(fusion);
}

const LOG_PACE = 10_000; // milliseconds between two lines

/** Progress on one line of a terminal; in a log a line now and then. */
function told(): (line: string) => void {
  let shown = performance.now();
  return (line) => {
    statusLine(line);
    if (process.stderr.isTTY || line === "" || performance.now() - shown < LOG_PACE) return;
    shown = performance.now();
    process.stderr.write(`${line}\n`);
  };
}

interface FusionCommandOptions {
  config?: string;
  batches: number[];
  rounds: number;
  json?: boolean;
}

async function fusion({ config: path, batches, rounds, json }: FusionCommandOptions): Promise<void> {
  const file = path ?? packaged(demo);
  const config = readConfig(file);
  const engine = await Engine.create({ quiet: true });
  try {
    const host = nodeHost();
    const load = host.watchLoad();
    const rows = await measuredFusion(engine, config, { batches, rounds });
    const run = describeRun(engine, host, { load: load?.() });
    if (!json) console.log(fusionReport(run, file, rows));
    else process.stdout.write(textOf([run, ...rows.map((row) => describeFusion(row, file))]));
  } finally {
    engine.destroy();
  }
}

const demo = "configs/demo.yaml";

async function fusionLines(engine: Engine, rounds: number): Promise<Line[]> {
  const rows = await measuredFusion(engine, readConfig(packaged(demo)), { batches: [8], rounds });
  return rows.map((row) => describeFusion(row, demo));
}

async function measuredFusion(engine: Engine, config: Config, sizes: { batches: number[]; rounds: number }) {
  const tell = told();
  const rows = await measureFusion(engine, sampledOf(engine, config), {
    ...sizes,
    host: nodeHost(),
    onProgress: (batch, progress) => tell(`batch ${batch}, ${progressLine(progress)}`),
  });
  tell("");
  return rows;
}

function sampledOf(engine: Engine, config: Config) {
  const image = imageOf(config);
  const score = scoreOf(openNetwork(engine, config, image), config);
  const condition = (batch: number) =>
    config.sde ? engine.full([batch], conditionOf(config)(0.5)) : engine.zeros([batch], "i32");
  return { score, condition, image: [image.channels, image.height, image.height] };
}

function batchesOf(text: string): number[] {
  const batches = text.split(",").map(Number);
  if (!batches.every((n) => Number.isSafeInteger(n) && n >= 1))
    throw new UsageError(`got --batches ${text}, expected whole numbers from 1, such as 1,8,32`);
  return batches;
}
