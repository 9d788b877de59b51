import { existsSync, readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import type { Command } from "commander";
import { mebibytes } from "../../engine/buffers.ts";
import { Engine } from "../../engine/engine.ts";
import { DeviceError } from "../../engine/errors.ts";
import { countParameters } from "../../models/index.ts";
import { restore, samplingState } from "../../train/checkpoint.ts";
import { DivergedError, UNREAD_MOST } from "../../train/trainer.ts";
import { measureClassifier } from "../classifier.ts";
import { type AnyConfig, type Config, isClassifier, readAnyConfig, writeConfig } from "../config.ts";
import { Interrupted, type Stop, stopOnSignal } from "../interrupt.ts";
import { applyMemoryOptions, type MemoryOptions, withMemoryOptions } from "../memory-options.ts";
import { MetricsLog } from "../metrics-log.ts";
import { writeFileAtomic } from "../pictures/write.ts";
import { Progress } from "../progress.ts";
import {
  type ClassifierRun,
  checkFolder,
  files,
  openCheckpoint,
  openClassifierRun,
  openImages,
  openRun,
  type Run,
  rollBack,
  saveCheckpoint,
} from "../run.ts";
import { verifyStep } from "../verify.ts";

interface TrainOptions extends MemoryOptions {
  out?: string;
  resume?: boolean;
  verify?: boolean;
}

export function trainCommand(program: Command): void {
  withMemoryOptions(program.command("train"))
    .description("train a score network, or a classifier, as a YAML configuration says")
    .argument("<config>", "configuration, such as configs/demo.yaml")
    .option("-o, --out <folder>", "the run's folder; runs/ and the configuration's path unless given")
    .option("--resume", "go on from the folder's checkpoint, if there is one yet")
    .option("--verify", "first run one step beside the float64 oracle and name any op that departs")
    .addHelpText(
      "after",
      "\nCtrl-C ends it after the step at hand, with a checkpoint and exit code 130;\nonce more ends it at once.",
    )
    .action(async (path: string, options: TrainOptions) => {
      const { out, resume = false, verify, ...rest } = options;
      const config = readAnyConfig(path);
      applyMemoryOptions(config, rest);
      const folder = out ?? folderOf(path);
      const checkpoint = checkFolder(folder, config, resume);
      const { steps } = config.training;
      if (checkpoint && checkpoint.step >= steps) {
        console.log(
          `${folder} has taken ${checkpoint.step} of ${steps} steps: raise training.steps to go on`,
        );
        return;
      }
      const images = openImages(config);
      const engine = await Engine.create();
      try {
        const classifier = isClassifier(config) && openClassifierRun(engine, config, folder, images);
        const run: Run = classifier || openRun(engine, config as Config, folder, images);
        if (checkpoint) restore(checkpoint, run.network, run.trainer);
        if (resume)
          console.log(
            `${folder}: ${checkpoint ? `going on at step ${checkpoint.step}` : "no checkpoint yet, beginning"}`,
          );
        if (verify) await verifyStep(run);
        if (config.training.precision === "mixed") await tellPrecision(run);
        await train(run);
        if (classifier) await tellAccuracy(classifier);
        const next = classifier
          ? `draw images of a class with: stein classify-guide RUN ${folder}`
          : `draw images with: stein sample ${folder}`;
        console.log(`checkpoint, metrics and plot are in ${folder}; ${next}`);
      } finally {
        engine.destroy();
      }
    });
}

/**
 * Trains from where the trainer stands to the configured number of steps. Throws Interrupted when a signal ended it
 * earlier; a checkpoint is written then too. `minutes`: end early, without an error, where a driver is that slow.
 */
export async function train(run: Run, { minutes = Infinity }: { minutes?: number } = {}): Promise<void> {
  const { trainer, config, folder } = run;
  const { steps } = config.training;
  const log = new MetricsLog(join(folder, files.metrics), trainer.step);
  removeLeftovers(folder);
  writeFileAtomic(join(folder, files.config), writeConfig(config));
  describe(run);
  const stop = stopOnSignal();
  try {
    await compile(run);
    await loop(run, log, stop, minutes);
    await save(run, log);
  } catch (fault) {
    throw withCheckpoint(fault, run);
  } finally {
    stop.end();
  }
  if (stop.asked && trainer.step < steps)
    throw new Interrupted(
      stop.asked,
      `stopped after ${trainer.step} of ${steps} steps; go on with: ` +
        `stein train ${join(folder, files.config)} --out ${folder} --resume`,
    );
  if (trainer.step < steps)
    console.log(
      `this driver is slow: training ended after ${trainer.step} of ${steps} steps, at ${minutes} minutes`,
    );
  const last = Math.min(50, trainer.step);
  const { peak } = trainer.engine.memory();
  console.log(
    `loss ${shown(log.recent(last))}, mean of the last ${last} steps; peak device memory ${mebibytes(peak)}`,
  );
}

/** A loss is a sum over an image's elements, or the mean of them. */
const shown = (loss: number): string => loss.toFixed(loss < 1 ? 4 : 2);

/** configs/ve/church.yaml -> runs/ve/church; the name alone for a file from elsewhere. */
function folderOf(path: string): string {
  const inside = /(?:^|[\\/])configs[\\/](.+)$/.exec(path)?.[1] ?? basename(path);
  return join("runs", inside.replace(/\.ya?ml$/, ""));
}

async function tellPrecision({ trainer }: Run): Promise<void> {
  const { loss, gradients } = await trainer.precisionError();
  console.log(
    `mixed precision: on the first batch the loss is off by ${loss.toExponential(1)} and the gradients by ` +
      `${gradients.toExponential(1)} of what f32 gives`,
  );
}

/** How well the running average knows images that it was not trained on, in words and as accuracy.json. */
async function tellAccuracy({ network, trainer, config, heldBack, folder }: ClassifierRun): Promise<void> {
  network.load(samplingState(openCheckpoint(folder)));
  let progress: Progress | undefined;
  const rows = await measureClassifier(trainer.engine, network, config, heldBack, (done, total) => {
    progress ??= new Progress("measuring", total);
    progress.update(done);
  });
  writeFileAtomic(join(folder, files.accuracy), `${JSON.stringify(rows, null, 2)}\n`);
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const [clean, ...noisy] = rows.map(({ sigma, accuracy }) => ({ sigma, share: percent(accuracy) }));
  console.log(
    `of held-back images it knows ${clean!.share}; under noise of ` +
      noisy.map(({ sigma, share }) => `sigma ${sigma}: ${share}`).join(", "),
  );
}

function describe({ network, train: images, config }: Run): void {
  const thousands = (n: number) => n.toLocaleString("en");
  console.log(
    `${(isClassifier(config) ? config.classifier : config.model).name} with ${thousands(countParameters(network))} parameters; ` +
      `${thousands(images.count)} images ${images.channels}x${images.height}x${images.width} of ${images.name}; ` +
      `batch ${config.training.batchSize}; ${noiseOf(config)}`,
  );
}

const sdeNames = { ve: "VE", vp: "VP", subvp: "sub-VP" } as const;

function noiseOf({ sigmas, sde }: AnyConfig): string {
  if (!sde) return `${sigmas.count} noise scales`;
  return `on the ${sdeNames[sde.name]} SDE${sde.continuous ? "" : ` in ${sde.numScales} steps`}`;
}

/** What a process that died while it wrote left behind: see writeFileAtomic. */
function removeLeftovers(folder: string): void {
  for (const name of readdirSync(folder))
    if (/\.\d+-\d+\.tmp$/.test(name)) rmSync(join(folder, name), { force: true });
}

async function compile({ trainer }: Run): Promise<void> {
  let progress: Progress | undefined;
  await trainer.prepare((done, total) => {
    progress ??= new Progress("compiling kernels", total);
    progress.update(done);
  });
}

/** Milliseconds between two waits for the device that the loop aims at: few enough for Ctrl-C, many for speed. */
const WAIT = { least: 200, most: 800 };

async function loop(run: Run, log: MetricsLog, stop: Stop, minutes: number): Promise<void> {
  const { trainer, config } = run;
  const { steps, checkpointEvery } = config.training;
  const progress = new Progress("training", steps);
  const before = log.seconds;
  const start = performance.now();
  let stride = 1; // steps between two waits
  const late = () => performance.now() - start > minutes * 60_000;
  while (trainer.step < steps && !stop.asked && !late()) {
    const first = performance.now();
    const checkpoint = (Math.floor(trainer.step / checkpointEvery) + 1) * checkpointEvery;
    const until = Math.min(steps, checkpoint, trainer.step + stride);
    while (trainer.step < until) trainer.advance();
    await record(run, log, () => before + (performance.now() - start) / 1000);
    const waited = performance.now() - first;
    if (waited < WAIT.least) stride = Math.min(2 * stride, UNREAD_MOST);
    else if (waited > WAIT.most) stride = Math.max(1, stride >> 1);
    progress.update(trainer.step, `loss ${shown(log.recent(50))}`);
    if (trainer.step === checkpoint && trainer.step < steps) await save(run, log);
  }
}

async function record({ trainer }: Run, log: MetricsLog, clock: () => number): Promise<void> {
  const add = (reports: DivergedError["before"]) =>
    log.add(reports.map((r) => ({ ...r, seconds: Number(clock().toFixed(3)) })));
  try {
    add(await trainer.reports());
  } catch (fault) {
    if (fault instanceof DivergedError) add(fault.before);
    throw fault;
  }
}

async function save(run: Run, log: MetricsLog): Promise<void> {
  await saveCheckpoint(run);
  const title = isClassifier(run.config) ? "Cross-entropy of noisy images" : "Denoising score matching";
  writeFileAtomic(join(run.folder, files.loss), log.plot(title));
}

/** Says of a fault that ended the training where it can be taken up again. */
function withCheckpoint(fault: unknown, { folder }: Run): unknown {
  const path = join(folder, files.checkpoint);
  if (fault instanceof DivergedError) {
    const good = rollBack(folder, fault.step); // one of that step would diverge again
    fault.message += `; the last good checkpoint is ${good === undefined ? "none" : `${path} of step ${good}`}`;
  } else if (fault instanceof DeviceError)
    fault.message += existsSync(path) ? `; go on from ${path} with --resume` : "; there is no checkpoint yet";
  return fault;
}
