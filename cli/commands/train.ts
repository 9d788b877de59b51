import { existsSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import type { Command } from "commander";
import { mebibytes } from "../../engine/buffers.ts";
import { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import { countParameters } from "../../models/index.ts";
import { DivergedError } from "../../train/trainer.ts";
import { readConfig, writeConfig } from "../config.ts";
import { writeFileAtomic } from "../pictures/write.ts";
import { duration, Progress } from "../progress.ts";
import { files, MetricsLog, openImages, openRun, type Run, resume, saveCheckpoint } from "../run.ts";
import { verifyStep } from "../verify.ts";

/** Steps between two waits for the device. */
const READ_EVERY = 8;

export interface TrainOptions {
  out?: string;
  resume?: boolean;
  verify?: boolean;
}

export function trainCommand(program: Command): void {
  program
    .command("train")
    .description("train a score network as a YAML configuration says")
    .argument("<config>", "configuration, such as configs/demo.yaml")
    .option("-o, --out <folder>", "the run's folder; runs/NAME of the configuration unless given")
    .option("--resume", "go on from the folder's checkpoint")
    .option("--verify", "first run one step beside the float64 oracle and name any op that departs")
    .action(async (path: string, options: TrainOptions) => {
      const config = readConfig(path);
      const folder = options.out ?? join("runs", basename(path).replace(/\.ya?ml$/, ""));
      const images = openImages(config);
      const engine = await Engine.create();
      try {
        const run = openRun(engine, config, folder, images);
        if (options.verify) await verifyStep(run);
        await train(run, options);
        console.log(`checkpoint, metrics and plot in ${folder}; draw with: stein sample ${folder}`);
      } finally {
        engine.destroy();
      }
    });
}

/** Trains to the configured number of steps, or to Ctrl-C. Returns whether it came to the end. */
export async function train(run: Run, { resume: goOn = false }: TrainOptions = {}): Promise<boolean> {
  const { trainer, config, folder } = run;
  const { engine } = trainer;
  const path = join(folder, files.checkpoint);
  if (goOn) resume(run);
  else if (existsSync(path))
    throw new UsageError(`train: ${folder} holds a run already; pass --resume to go on, or another --out`);
  else rmSync(join(folder, files.metrics), { force: true });
  const log = new MetricsLog(folder);
  writeFileAtomic(join(folder, files.config), writeConfig(config));
  console.log(
    `${config.model.name}: ${countParameters(run.network).toLocaleString("en")} parameters, ` +
      `${run.train.count.toLocaleString("en")} images ${run.train.channels}x${run.train.height}x${run.train.width} of "${run.train.name}", ` +
      `batch ${config.training.batchSize}, ${run.sigmas.length} noise scales`,
  );
  await compile(run);
  const stop = stopOnInterrupt();
  try {
    await loop(run, log, stop);
  } catch (fault) {
    if (fault instanceof DivergedError)
      fault.message += `; the last good checkpoint is ${existsSync(path) ? path : "none"}`;
    throw fault;
  } finally {
    stop.end();
  }
  await saveCheckpoint(run);
  log.plot();
  const { peak } = engine.memory();
  console.log(`loss ${log.recent(50).toFixed(2)} over the last steps, peak device memory ${mebibytes(peak)}`);
  return trainer.step >= config.training.steps;
}

async function compile({ trainer }: Run): Promise<void> {
  const start = performance.now();
  let progress: Progress | undefined;
  await trainer.prepare((done, total) => {
    progress ??= new Progress("compiling kernels", total);
    progress.update(done);
  });
  console.log(`pipelines: ${duration((performance.now() - start) / 1000)}`);
}

async function loop(run: Run, log: MetricsLog, stop: { asked: boolean }): Promise<void> {
  const { trainer, config } = run;
  const { steps, checkpointEvery } = config.training;
  const progress = new Progress("training", steps, trainer.step);
  const start = performance.now();
  let first = true;
  while (trainer.step < steps && !stop.asked) {
    const until = Math.min(
      steps,
      first ? trainer.step + 1 : (Math.floor(trainer.step / READ_EVERY) + 1) * READ_EVERY,
    );
    while (trainer.step < until) trainer.advance();
    const reports = await trainer.reports();
    const seconds = (performance.now() - start) / 1000;
    log.add(reports.map((r) => ({ ...r, seconds: Number(seconds.toFixed(3)) })));
    if (first) console.log(`first step, with the driver's compilation: ${duration(seconds)}`);
    first = false;
    progress.update(trainer.step, `loss ${log.recent(50).toFixed(2)}`);
    if (crossed(trainer.step, until, checkpointEvery) && trainer.step < steps) {
      await saveCheckpoint(run);
      log.plot();
    }
  }
}

const crossed = (step: number, until: number, every: number): boolean =>
  Math.floor(step / every) > Math.floor((step - Math.min(READ_EVERY, until)) / every);

/** The first Ctrl-C asks for a clean end, the second ends at once. */
function stopOnInterrupt() {
  const state = { asked: false, end: () => process.off("SIGINT", ask).off("SIGTERM", ask) };
  function ask(): void {
    if (state.asked) process.exit(130);
    state.asked = true;
    console.error("\nstopping after this step; once more to stop at once");
  }
  process.on("SIGINT", ask).on("SIGTERM", ask);
  return state;
}
