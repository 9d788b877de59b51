import { type Command, Option } from "commander";
import { type FusionRow, measureFusion } from "../../bench/fusion.ts";
import { fusionReport } from "../../bench/fusion-report.ts";
import { progressLine } from "../../bench/harness.ts";
import { nodeHost } from "../../bench/node-host.ts";
import { describeRun } from "../../bench/record.ts";
import { benchKernels } from "../../bench/run.ts";
import { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import { type Config, readConfig } from "../config.ts";
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
  command
    .command("kernels", { isDefault: true })
    .description("every kernel against this adapter's own limits")
    .option("--filter <text>", "only cases whose family, name or shape holds it; the roofline always runs")
    .addOption(rounds())
    .option("--json <file>", "write the run as JSON lines")
    .option(
      "--compare <file>",
      "ratio of times to an earlier --json file; changes beyond the spread are flagged",
    )
    .option("--profile", "where the time of the training steps goes, kernel by kernel, and their memory")
    .option("--loading", "what images cost a training step: a folder of JPEG files, in memory and streamed")
    .action(async (options) => {
      if (!(await benchKernels({ ...options, onProgress: statusLine }))) process.exitCode = 1;
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
    .option("--json", "as JSON")
    .action(fusion);
}

interface FusionCommandOptions {
  config?: string;
  batches: number[];
  rounds: number;
  json?: boolean;
}

async function fusion({ config: path, batches, rounds, json }: FusionCommandOptions): Promise<void> {
  const file = path ?? packaged("configs/demo.yaml");
  const config = readConfig(file);
  const engine = await Engine.create({ quiet: true });
  try {
    const host = nodeHost();
    const load = host.watchLoad();
    const rows = await measureFusion(engine, sampledOf(engine, config), {
      batches,
      rounds,
      host,
      onProgress: (batch, progress) => statusLine(`batch ${batch}, ${progressLine(progress)}`),
    });
    statusLine("");
    const run = describeRun(engine, host, { load: load?.() });
    console.log(json ? asJson(run, file, rows) : fusionReport(run, file, rows));
  } finally {
    engine.destroy();
  }
}

function sampledOf(engine: Engine, config: Config) {
  const image = imageOf(config);
  const score = scoreOf(openNetwork(engine, config, image), config);
  const condition = (batch: number) =>
    config.sde ? engine.full([batch], conditionOf(config)(0.5)) : engine.zeros([batch], "i32");
  return { score, condition, image: [image.channels, image.height, image.height] };
}

const asJson = (run: object, network: string, rows: readonly FusionRow[]): string =>
  JSON.stringify({ ...run, network, rows }, null, 2);

function batchesOf(text: string): number[] {
  const batches = text.split(",").map(Number);
  if (!batches.every((n) => Number.isSafeInteger(n) && n >= 1))
    throw new UsageError(`got --batches ${text}, expected whole numbers from 1, such as 1,8,32`);
  return batches;
}
