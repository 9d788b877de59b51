import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { mebibytes } from "../engine/buffers.ts";
import { DeviceError, UsageError } from "../engine/errors.ts";
import { countParameters } from "../models/index.ts";
import { DivergedError, type StepReport, UNREAD_MOST } from "../train/trainer.ts";
import { called } from "./called.ts";
import { OLDER, rollBack } from "./checkpoint-folder.ts";
import { type AnyConfig, type Config, isClassifier, writeConfig } from "./config.ts";
import { Interrupted, type Stop, stopOnSignal } from "./interrupt.ts";
import { MetricsLog } from "./metrics-log.ts";
import { lossPlot, ratePlot } from "./metrics-plot.ts";
import { grid } from "./pictures/png.ts";
import { writeFileAtomic } from "./pictures/write.ts";
import { endLine, Progress, progressOf } from "./progress.ts";
import { networkName, RECENT, shownLoss, writeReport } from "./report.ts";
import { files, type Run, type ScoreRun, saveCheckpoint } from "./run.ts";
import { removeSamplesAfter, SAMPLES, samplesPath } from "./run-folder.ts";
import { drawSamples } from "./sampler.ts";
import { tuningClock } from "./tune.ts";

/**
 * Trains from where the trainer stands to the configured number of steps. Throws Interrupted when a signal ended it
 * earlier; a checkpoint is written then too. `minutes`: end early, without an error, where a driver is that slow.
 */
export async function train(run: Run, { minutes = Infinity }: { minutes?: number } = {}): Promise<void> {
  const { trainer, config, folder } = run;
  const { steps } = config.training;
  const log = new MetricsLog(join(folder, files.metrics), trainer.step);
  removeLeftovers(folder);
  removeSamplesAfter(folder, trainer.step);
  writeFileAtomic(join(folder, files.config), writeConfig(config));
  describe(run);
  const stop = stopOnSignal();
  let drawn = true;
  try {
    await compile(run, stop);
    await loop(run, log, stop, minutes);
    await save(run, log);
    if (!stop.asked) drawn = await drawDue(run, log, stop);
  } catch (fault) {
    throw withCheckpoint(fault, run);
  } finally {
    stop.end();
  }
  if (stop.asked && trainer.step < steps)
    throw new Interrupted(
      stop.asked,
      `stopped after ${trainer.step} of ${steps} steps; go on with: ` +
        `${called()} train ${join(folder, files.config)} --out ${folder} --resume`,
    );
  if (stop.asked && !drawn)
    throw new Interrupted(
      stop.asked,
      `stopped after ${steps} of ${steps} steps, before some images were drawn; draw them with: ${called()} sample ${folder}`,
    );
  if (trainer.step < steps)
    console.log(
      `this driver is slow: training ended after ${trainer.step} of ${steps} steps, at ${minutes} minutes`,
    );
  console.log(closing(run, log));
}

function closing({ trainer }: Run, log: MetricsLog): string {
  const last = Math.min(RECENT, trainer.step);
  const evaluated = log.rows.at(-1)?.evalLoss;
  return [
    `loss ${shownLoss(log.recent(last))}, mean of the last ${last} steps`,
    ...(evaluated === undefined ? [] : [`${shownLoss(evaluated)} on held-back images`]),
    `peak device memory ${mebibytes(trainer.engine.memory().peak)}`,
  ].join("; ");
}

function describe({ network, train: images, config }: Run): void {
  const thousands = (n: number) => n.toLocaleString("en");
  const { batchSize, accumulate } = config.training;
  console.log(
    `${networkName(config)} with ${thousands(countParameters(network))} parameters; ` +
      `${thousands(images.count)} images ${images.channels}x${images.height}x${images.width} of ${images.name}; ` +
      `batch ${batchSize}${accumulate > 1 ? ` in ${accumulate} parts` : ""}; ${noiseOf(config)}`,
  );
}

const sdeNames = { ve: "VE", vp: "VP", subvp: "sub-VP" } as const;

function noiseOf({ sigmas, sde }: AnyConfig): string {
  if (!sde) return `${sigmas.count} noise scales`;
  return `on the ${sdeNames[sde.name]} SDE${sde.continuous ? "" : ` in ${sde.numScales} steps`}`;
}

/** What a process that died while it wrote left behind: see replaceFile. */
function removeLeftovers(folder: string): void {
  for (const inside of [folder, join(folder, OLDER), join(folder, SAMPLES)])
    for (const name of existsSync(inside) ? readdirSync(inside) : [])
      if (/\.\d+-\d+\.tmp$/.test(name)) rmSync(join(inside, name), { force: true });
}

async function compile({ trainer }: Run, stop: Stop): Promise<void> {
  await trainer.prepare({
    onProgress: progressOf("compiling kernels"),
    tuning: {
      ...tuningClock(trainer.engine),
      onProgress: progressOf("measuring shapes"),
      enough: () => stop.asked !== undefined,
    },
  });
}

/** Milliseconds between two waits for the device that the loop aims at: few enough for Ctrl-C, many for speed. */
const WAIT = { least: 200, most: 800 };

async function loop(run: Run, log: MetricsLog, stop: Stop, minutes: number): Promise<void> {
  const { trainer, config } = run;
  const { steps, checkpointEvery, evaluateEvery } = config.training;
  const sampleEvery = samplesOf(config)?.every ?? 0;
  const progress = new Progress("training", steps);
  const start = performance.now();
  let stride = 1; // steps between two waits
  const late = () => performance.now() - start > minutes * 60_000;
  while (trainer.step < steps && !stop.asked && !late()) {
    if (!(await drawDue(run, log, stop))) break;
    const [first, before] = [performance.now(), log.seconds];
    const stops = [checkpointEvery, evaluateEvery, sampleEvery].map((every) => next(trainer.step, every));
    const until = Math.min(steps, trainer.step + stride, ...stops);
    while (trainer.step < until) trainer.advance();
    const evaluated = trainer.step === steps || isDue(trainer.step, evaluateEvery);
    await record(run, log, () => (performance.now() - first) / 1000, evaluated);
    const waited = 1000 * (log.seconds - before);
    if (waited < WAIT.least) stride = Math.min(2 * stride, UNREAD_MOST);
    else if (waited > WAIT.most) stride = Math.max(1, stride >> 1);
    progress.update(trainer.step, `loss ${shownLoss(log.recent(RECENT))}`);
    // Before samples, too: drawing may take long, and who ends it there loses nothing.
    const wanted = [checkpointEvery, sampleEvery].some((every) => isDue(trainer.step, every));
    if (wanted && trainer.step < steps) await save(run, log);
  }
}

/** How often images are drawn and how many; undefined for a classifier, which draws none. */
const samplesOf = (config: AnyConfig) =>
  isClassifier(config)
    ? undefined
    : { every: config.training.sampleEvery, count: config.training.sampleCount };

/** The next step after this one at which something is done every so often; 0 stands for never. */
const next = (step: number, every: number): number =>
  every === 0 ? Infinity : (Math.floor(step / every) + 1) * every;

const isDue = (step: number, every: number): boolean => every > 0 && step > 0 && step % every === 0;

/** Writes down the steps that were taken, the last of them with an evaluation if one is wanted. */
async function record(run: Run, log: MetricsLog, clock: () => number, evaluated: boolean): Promise<void> {
  const { trainer, config, evaluation } = run;
  const before = log.seconds;
  const add = (reports: readonly StepReport[], evalLoss?: number, took = clock()) => {
    const each = took / reports.length;
    log.add(
      reports.map(({ step, loss, gradNorm, lr }, i) => ({
        step,
        loss,
        ...(evalLoss !== undefined && i === reports.length - 1 && { evalLoss }),
        gradNorm,
        lr,
        imagesPerSecond: Number((config.training.batchSize / each).toPrecision(4)),
        seconds: Number((before + each * (i + 1)).toFixed(3)),
      })),
    );
  };
  try {
    const reports = await trainer.reports();
    const took = clock();
    const wanted = evaluated && evaluation;
    const evalLoss = wanted ? await trainer.withAverage(() => evaluation.loss()) : undefined;
    const finite = evalLoss === undefined || Number.isFinite(evalLoss);
    if (!finite) tellAfter(trainer.step, "the loss on held-back images is not finite");
    add(reports, finite ? evalLoss : undefined, took);
  } catch (fault) {
    if (fault instanceof DivergedError) add(fault.before);
    throw fault;
  }
}

async function save(run: Run, log: MetricsLog): Promise<void> {
  log.flush();
  await saveCheckpoint(run);
  const title = isClassifier(run.config) ? "Cross-entropy of noisy images" : "Score matching";
  writeFileAtomic(join(run.folder, files.loss), lossPlot(log.rows, title));
  writeFileAtomic(join(run.folder, files.rate), ratePlot(log.rows));
  writeReport(run, log);
}

/**
 * Draws a few images, if this step is one of those that want some and they are not there yet: a run that was killed
 * or stopped while it drew them draws them when it is taken up. False when a signal ended the drawing.
 */
async function drawDue(run: Run, log: MetricsLog, stop: Stop): Promise<boolean> {
  const { trainer, config, folder } = run;
  const { every, count } = samplesOf(config) ?? { every: 0, count: 0 };
  const path = samplesPath(folder, trainer.step);
  if (!isDue(trainer.step, every) || existsSync(path)) return true;
  const score = run as ScoreRun;
  const few = { ...score.config, sampling: { ...score.config.sampling, count } } as Config;
  const [c, h, w] = trainer.imageShape;
  const { engine } = trainer;
  try {
    const { samples } = await trainer.withAverage(() =>
      drawSamples(engine, score.network, few, { size: { c, h, w }, animate: false, stop }),
    );
    writeFileAtomic(path, grid(samples, { n: count, c, h, w, scale: 2 }));
    writeReport(run, log);
  } catch (fault) {
    if (fault instanceof Interrupted) return false;
    if (!(fault instanceof UsageError)) throw fault;
    tellAfter(trainer.step, fault.message); // a young network may lead anywhere
  } finally {
    engine.trim();
  }
  return true;
}

/** What went wrong beside the training, which goes on. */
function tellAfter(steps: number, what: string): void {
  endLine();
  console.error(`stein: after ${steps} steps: ${what}`);
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
