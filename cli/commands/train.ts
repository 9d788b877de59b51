import { existsSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import type { Command } from "commander";
import { Engine } from "../../engine/engine.ts";
import { restore, samplingState } from "../../train/checkpoint.ts";
import { called } from "../called.ts";
import { measureClassifier } from "../classifier.ts";
import { type AnyConfig, type Config, isClassifier, readAnyConfig } from "../config.ts";
import { applyMemoryOptions, type MemoryOptions, withMemoryOptions } from "../memory-options.ts";
import { writeFileAtomic } from "../pictures/write.ts";
import { progressOf } from "../progress.ts";
import { requireRoom } from "../room.ts";
import {
  type ClassifierRun,
  checkFolder,
  files,
  type Images,
  openCheckpoint,
  openClassifierRun,
  openImages,
  openRun,
  type Run,
  requireSameImages,
} from "../run.ts";
import { lockRun } from "../run-lock.ts";
import { type SetOption, withSetOption } from "../set-option.ts";
import { train } from "../training-loop.ts";
import { verifyStep } from "../verify.ts";

interface TrainOptions extends MemoryOptions, SetOption {
  out?: string;
  resume?: boolean;
  verify?: boolean;
}

export function trainCommand(program: Command): void {
  withSetOption(withMemoryOptions(program.command("train")))
    .description("train a score network, or a classifier, as a YAML configuration says")
    .argument("<config>", "configuration, such as configs/demo.yaml")
    .option(
      "-o, --out <folder>",
      "the run's folder; unless given, runs/ and the configuration's path below configs/, or its name",
    )
    .option("--resume", "go on from the folder's checkpoint, if there is one yet")
    .option(
      "--verify",
      "first run one step of 2 images beside the float64 oracle and name any op that departs",
    )
    .addHelpText(
      "after",
      "\nCtrl-C ends it after the step at hand, with a checkpoint and exit code 130;\nonce more ends it at once.",
    )
    .action(async (path: string, options: TrainOptions) => {
      const { out, resume = false, verify, ...rest } = options;
      const config = readAnyConfig(path, rest.set);
      applyMemoryOptions(config, rest);
      const folder = out ?? folderOf(path);
      using _ = await lockRun("train", folder); // before the checkpoint is read, which another may be about to replace
      const checkpoint = checkFolder(folder, config, resume);
      const { steps } = config.training;
      const trained = checkpoint !== undefined && checkpoint.step >= steps;
      const measured = !isClassifier(config) || existsSync(join(folder, files.accuracy));
      if (trained && measured) {
        console.log(
          `${folder} has taken ${checkpoint.step} of ${steps} steps: raise training.steps to go on`,
        );
        return;
      }
      const images = openImages(config);
      requireRoomFor(config, images);
      if (checkpoint) requireSameImages(checkpoint, images, config, folder);
      const engine = await Engine.create();
      try {
        if (verify)
          await verifyStep(
            (few: AnyConfig) =>
              isClassifier(few)
                ? openClassifierRun(engine, few, folder, images)
                : openRun(engine, few as Config, folder, images),
            config,
            checkpoint,
          );
        const classifier = isClassifier(config) && openClassifierRun(engine, config, folder, images);
        const run: Run = classifier || openRun(engine, config as Config, folder, images);
        if (checkpoint) restore(checkpoint, run.network, run.trainer);
        if (resume && !trained)
          console.log(
            `${folder}: ${checkpoint ? `going on at step ${checkpoint.step}` : "no checkpoint yet, beginning"}`,
          );
        if (config.training.precision === "mixed" && !trained) await tellPrecision(run);
        if (!trained) {
          if (classifier) rmSync(join(folder, files.accuracy), { force: true }); // it was of fewer steps
          await train(run);
        } // else it was stopped before it was measured
        if (classifier) await tellAccuracy(classifier);
        const next = classifier
          ? `draw images of a class with: ${called()} classify-guide RUN ${folder}`
          : `draw images with: ${called()} sample ${folder}`;
        console.log(`all is told in ${join(folder, files.report)}; ${next}`);
      } finally {
        engine.destroy();
      }
    });
}

/** configs/ve/church.yaml -> runs/ve/church; the name alone for a file from elsewhere. */
function folderOf(path: string): string {
  const inside = /(?:^|[\\/])configs[\\/](.+)$/.exec(path)?.[1] ?? basename(path);
  return join("runs", inside.replace(/\.ya?ml$/, ""));
}

/** Throws UsageError for batches, and pictures along the way, of more images than one array holds. */
function requireRoomFor({ training }: AnyConfig, { train: { channels, height, width } }: Images): void {
  const image = [channels, height, width];
  requireRoom("train", training.batchSize, image, "lower training.batchSize");
  if ("sampleCount" in training)
    requireRoom("train", training.sampleCount, image, "lower training.sampleCount");
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
  const rows = await measureClassifier(trainer.engine, network, config, heldBack, progressOf("measuring"));
  writeFileAtomic(join(folder, files.accuracy), `${JSON.stringify(rows, null, 2)}\n`);
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const [clean, ...noisy] = rows.map(({ sigma, accuracy }) => ({ sigma, share: percent(accuracy) }));
  console.log(
    `of held-back images it knows ${clean!.share}; under noise of ` +
      noisy.map(({ sigma, share }) => `sigma ${sigma}: ${share}`).join(", "),
  );
}
