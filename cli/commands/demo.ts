import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { type ImageSet, imageSize, toBatch } from "../../data/dataset.ts";
import { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import { sampleQuality } from "../../train/metrics/index.ts";
import { OLDER } from "../checkpoint-folder.ts";
import { type Config, readConfig, writeConfig } from "../config.ts";
import { packaged } from "../packaged.ts";
import { grid } from "../pictures/png.ts";
import { writeFileAtomic } from "../pictures/write.ts";
import { duration } from "../progress.ts";
import { requireRoom } from "../room.ts";
import { files, openCheckpoint, openImages, openRun } from "../run.ts";
import { SAMPLES } from "../run-folder.ts";
import { lockRun } from "../run-lock.ts";
import { drawSamples } from "../sampler.ts";
import { train } from "../training-loop.ts";
import { writePictures } from "./sample.ts";

const FOLDER = join("out", "demo");

export function demoCommand(program: Command): void {
  program
    .command("demo")
    .description("train a small network on drawn digits and draw new ones, in minutes and without a download")
    .option("-o, --out <folder>", "where to write", FOLDER)
    .option("--config <file>", "another configuration than configs/demo.yaml")
    .action(async ({ out, config: path }: { out: string; config?: string }) => {
      const start = performance.now();
      const file = path ?? packaged("configs/demo.yaml");
      const config = readConfig(file);
      const images = openImages(config);
      const { channels: c, height: h, width: w } = images.train;
      requireRoom("demo", config.sampling.count, [c, h, w], "lower sampling.count");
      using _ = await lockRun("demo", out);
      beginAfresh(out, config);
      const shown = Math.min(config.sampling.count, images.train.count);
      writeFileAtomic(
        join(out, files.data),
        grid(firstOf(images.train, shown), { n: shown, c, h, w, scale: 3 }),
      );
      const engine = await Engine.create();
      try {
        const run = openRun(engine, config, out, images);
        await train(run, { minutes: engine.driver.source === "embedded" ? 15 : 7 });
        const { network, trainer } = run;
        for (const [name, average] of trainer.optimizer.ema?.shadow ?? [])
          engine.copy(average, network.parameters().get(name)!);
        trainer.dispose();
        const drawn = await drawSamples(engine, network, config, { size: { c, h, w }, animate: true });
        writePictures(out, drawn, { n: config.sampling.count, c, h, w });
        report(drawn.samples, images.heldBack, out);
        console.log(
          `all done in ${duration((performance.now() - start) / 1000)}; ` +
            `look at ${join(out, files.samples)} beside real images, ${join(out, files.data)}`,
        );
      } finally {
        engine.destroy();
      }
    });
}

/** Removes an earlier demo. Throws UsageError when the folder holds a run of another configuration. */
function beginAfresh(folder: string, config: Config): void {
  const checkpoint = join(folder, files.checkpoint);
  if (
    folder !== FOLDER &&
    existsSync(checkpoint) &&
    openCheckpoint(checkpoint).config !== writeConfig(config)
  )
    throw new UsageError(`demo: ${folder} holds a run of another configuration; give another --out`);
  if (existsSync(folder))
    for (const name of [files.checkpoint, OLDER, files.metrics, files.numbers, SAMPLES])
      rmSync(join(folder, name), { recursive: true, force: true });
}

function firstOf(images: ImageSet, count: number): Float32Array<ArrayBuffer> {
  const indices = Array.from({ length: count }, (_, i) => i);
  return toBatch(images, indices) as Float32Array<ArrayBuffer>;
}

function report(samples: Float32Array, images: ImageSet, out: string): void {
  if (images.count < 2) return;
  const heldBack = firstOf(images, images.count);
  const quality = sampleQuality({ samples, heldBack, dim: imageSize(images) });
  const { samples: ours, noise, data } = quality.slicedWasserstein;
  console.log(
    `sliced Wasserstein distance to ${quality.count} held-back images: ` +
      `samples ${ours.toFixed(4)}, noise ${noise.toFixed(4)}, other real images ${data.toFixed(4)}`,
  );
  console.log(`that is ${quality.score.toFixed(1)} % of the way from noise to real images`);
  writeFileAtomic(join(out, "quality.json"), `${JSON.stringify(quality, null, 2)}\n`);
}
