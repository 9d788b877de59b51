import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import type { ScoreNet } from "../../models/index.ts";
import { annealedLangevin, type SamplerStep } from "../../samplers/annealed-langevin.ts";
import { samplingState } from "../../train/checkpoint.ts";
import { geometricSigmas } from "../../train/sigmas.ts";
import { type Config, parseConfig } from "../config.ts";
import { animation } from "../pictures/gif.ts";
import { grid } from "../pictures/png.ts";
import { writeFileAtomic } from "../pictures/write.ts";
import { Progress } from "../progress.ts";
import { files, openCheckpoint, openImages, openNetwork } from "../run.ts";

interface SampleOptions {
  n?: number;
  seed?: number;
  steps?: number;
  epsilon?: number;
  denoise: boolean;
  animate?: boolean;
  raw?: boolean;
  out?: string;
}

export const wholeNumber = (text: string): number => {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 0) throw new InvalidArgumentError("expected a whole number.");
  return n;
};
const positiveNumber = (text: string): number => {
  const n = Number(text);
  if (!(n > 0)) throw new InvalidArgumentError("expected a positive number.");
  return n;
};

export function sampleCommand(program: Command): void {
  program
    .command("sample")
    .description("draw images from a trained network by annealed Langevin dynamics")
    .argument("<run>", "a run's folder or a checkpoint file")
    .option("--n <count>", "how many images", wholeNumber)
    .option("--seed <seed>", "one seed gives one set of images", wholeNumber)
    .option("--steps <T>", "steps at each noise scale", wholeNumber)
    .option("--epsilon <e>", "step size at the smallest noise scale", positiveNumber)
    .option("--no-denoise", "leave out the last denoising step")
    .option("--raw", "the newest weights instead of their running average")
    .option("--animate", "also write sampling.gif")
    .option("-o, --out <folder>", "where to write; the run's folder unless given")
    .action(async (path: string, options: SampleOptions) => {
      const checkpoint = openCheckpoint(path);
      const config = parseConfig(checkpoint.config, "the checkpoint's configuration");
      const images = openImages(config).train;
      const engine = await Engine.create();
      try {
        const network = openNetwork(engine, config, images);
        network.load(options.raw ? checkpoint.network : samplingState(checkpoint));
        const { sampling } = config;
        const settings = {
          count: options.n ?? sampling.count,
          stepsPerLevel: options.steps ?? sampling.stepsPerLevel,
          epsilon: options.epsilon ?? sampling.epsilon,
          seed: options.seed ?? sampling.seed,
          denoise: options.denoise && sampling.denoise,
        };
        if (settings.count < 1)
          throw new UsageError(`sample: got --n ${settings.count}, expected at least 1`);
        const size = { c: images.channels, h: images.height, w: images.width };
        const { samples, frames } = await drawSamples(
          engine,
          network,
          { ...config, sampling: settings },
          size,
        );
        const folder =
          options.out ?? (existsSync(path) && statSync(path).isDirectory() ? path : dirname(path));
        writePictures(folder, samples, options.animate ? frames : [], { n: settings.count, ...size });
      } finally {
        engine.destroy();
      }
    });
}

export interface Size {
  c: number;
  h: number;
  w: number;
}

/** Images of an animation: the chain at so many moments. */
const FRAMES = 48;

/** Runs the sampler with progress; images [n, c, h, w] clamped to [0, 1], and the first of them along the way. */
export async function drawSamples(
  engine: Engine,
  network: ScoreNet,
  { sampling, sigmas: ladder }: Pick<Config, "sampling" | "sigmas">,
  size: Size,
): Promise<{ samples: Float32Array<ArrayBuffer>; frames: Float32Array<ArrayBuffer>[] }> {
  const sigmas = geometricSigmas(ladder);
  const { count, ...settings } = sampling;
  const shape = [count, size.c, size.h, size.w];
  const progress = new Progress("sampling", sigmas.length * settings.stepsPerLevel);
  const frames: Float32Array<ArrayBuffer>[] = [];
  let next = 0;
  const onStep = async ({ done, total, sigma, x }: SamplerStep): Promise<void> => {
    if (done >= (next * total) / FRAMES) {
      next++;
      frames.push((await x.data()) as Float32Array<ArrayBuffer>);
    } else if (done % 4 === 0) await engine.sync();
    progress.update(done, `sigma ${sigma.toPrecision(2)}`);
  };
  const x = await annealedLangevin(engine, (y, labels) => network.run(y, labels), shape, {
    sigmas,
    ...settings,
    onStep,
  });
  const samples = (await x.data()) as Float32Array<ArrayBuffer>;
  x.dispose();
  if (samples.some((v) => !Number.isFinite(v)))
    throw new UsageError(`sample: the chain left all bounds; lower --epsilon (${settings.epsilon})`);
  const clamped = samples.map((v) => Math.min(1, Math.max(0, v)));
  return { samples: clamped, frames: [...frames, clamped] };
}

/** samples.png and, given frames, sampling.gif. */
export function writePictures(
  folder: string,
  samples: Float32Array,
  frames: readonly Float32Array[],
  shape: Size & { n: number },
): void {
  const path = join(folder, files.samples);
  writeFileAtomic(path, grid(samples, { ...shape, scale: 3 }));
  const written = [path];
  if (frames.length > 0) {
    written.push(join(folder, files.animation));
    writeFileAtomic(written[1]!, animation(frames, { ...shape, scale: 2 }));
  }
  console.log(`wrote ${written.join(" and ")}`);
}
