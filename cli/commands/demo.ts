import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { imageSize, toBatch } from "../../data/dataset.ts";
import { Engine } from "../../engine/engine.ts";
import { sampleQuality } from "../../train/metrics/index.ts";
import { readConfig } from "../config.ts";
import { grid } from "../pictures/png.ts";
import { writeFileAtomic } from "../pictures/write.ts";
import { duration } from "../progress.ts";
import { files, openRun } from "../run.ts";
import { drawSamples, writePictures } from "./sample.ts";
import { train } from "./train.ts";

export function demoCommand(program: Command): void {
  program
    .command("demo")
    .description("train a small network on drawn digits and draw new ones, in minutes and without a download")
    .option("-o, --out <folder>", "where to write", join("out", "demo"))
    .option("--config <file>", "another configuration than configs/demo.yaml")
    .action(async ({ out, config: path }: { out: string; config?: string }) => {
      const start = performance.now();
      const config = readConfig(path ?? packaged("configs/demo.yaml"));
      for (const name of [files.checkpoint, files.previous, files.metrics])
        rmSync(join(out, name), { force: true });
      const engine = await Engine.create();
      try {
        const run = openRun(engine, config, out);
        const { train: images, heldBack } = run;
        const size = { c: images.channels, h: images.height, w: images.width };
        const { count } = config.sampling;
        const shown = toBatch(
          images,
          Array.from({ length: count }, (_, i) => i),
        ) as Float32Array<ArrayBuffer>;
        writeFileAtomic(join(out, files.data), grid(shown, { n: count, ...size, scale: 3 }));
        if (!(await train(run))) return;
        for (const [name, average] of run.trainer.optimizer.ema?.shadow ?? [])
          engine.copy(average, run.network.parameters().get(name)!);
        run.trainer.dispose();
        const { samples, frames } = await drawSamples(engine, run.network, config, size);
        writePictures(out, samples, frames, { n: count, ...size });
        report(
          samples,
          toBatch(
            heldBack,
            Array.from({ length: heldBack.count }, (_, i) => i),
          ),
          imageSize(images),
          out,
        );
        console.log(
          `all done in ${duration((performance.now() - start) / 1000)}; open ${join(out, files.samples)} beside ${join(out, files.data)}`,
        );
      } finally {
        engine.destroy();
      }
    });
}

/** A file of the package, from the sources or from the build. */
function packaged(path: string): string {
  const here = fileURLToPath(import.meta.url);
  const up = here.endsWith(".ts") ? "../../" : "../../../";
  return fileURLToPath(new URL(up + path, import.meta.url));
}

function report(samples: Float32Array, heldBack: Float32Array, dim: number, out: string): void {
  const quality = sampleQuality({ samples, heldBack, dim });
  const { samples: ours, noise, data } = quality.slicedWasserstein;
  console.log(
    `sliced Wasserstein distance to ${quality.count} held-back images: samples ${ours.toFixed(4)}, noise ${noise.toFixed(4)}, other real images ${data.toFixed(4)}`,
  );
  console.log(`that is ${quality.score.toFixed(1)} % of the way from noise to real images`);
  writeFileAtomic(join(out, "quality.json"), `${JSON.stringify(quality, null, 2)}\n`);
}
