import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import type { ScoreNet } from "../../models/index.ts";
import { asPredictor } from "../../models/prediction.ts";
import { annealedLangevin, type SamplerStep } from "../../samplers/annealed-langevin.ts";
import { samplingState } from "../../train/checkpoint.ts";
import { geometricSigmas } from "../../train/sigmas.ts";
import { type AnnealedConfig, parseConfig } from "../config.ts";
import { openNetwork } from "../network.ts";
import { positive, wholeFrom } from "../options.ts";
import { animation } from "../pictures/gif.ts";
import { grid } from "../pictures/png.ts";
import { writeFileAtomic } from "../pictures/write.ts";
import { Progress } from "../progress.ts";
import { files, openCheckpoint } from "../run.ts";
import { requireSupported } from "../supported.ts";

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

export function sampleCommand(program: Command): void {
  program
    .command("sample")
    .description("draw images from a trained network by annealed Langevin dynamics")
    .argument("<run>", "a run's folder or a checkpoint file")
    .option("--n <count>", "how many images", wholeFrom(1, "--n"))
    .option("--seed <seed>", "one seed gives one set of images", wholeFrom(0, "--seed"))
    .option("--steps <T>", "steps at each noise scale", wholeFrom(1, "--steps"))
    .option("--epsilon <e>", "step size at the smallest noise scale", positive("--epsilon"))
    .option("--no-denoise", "leave out the last denoising step")
    .option("--raw", "the newest weights instead of their running average")
    .option("--animate", "also write sampling.gif")
    .option("-o, --out <folder>", "where to write; the run's folder unless given")
    .addHelpText("after", "\nWhat is not given is as the run's configuration says.")
    .action(async (path: string, options: SampleOptions) => {
      const checkpoint = openCheckpoint(path);
      const config = parseConfig(checkpoint.config, "the checkpoint's configuration");
      requireSupported("sample", config, path);
      const [c, h, w] = checkpoint.image;
      const { sampling } = config;
      const settings = {
        count: options.n ?? sampling.count,
        stepsPerLevel: options.steps ?? sampling.stepsPerLevel,
        epsilon: options.epsilon ?? sampling.epsilon,
        seed: options.seed ?? sampling.seed,
        denoise: options.denoise && sampling.denoise,
        prior: sampling.prior,
      };
      const engine = await Engine.create();
      try {
        const network = openNetwork(engine, config, { channels: c, height: h });
        network.load(options.raw ? checkpoint.network : samplingState(checkpoint));
        const { samples, frames } = await drawSamples(engine, network, {
          sampling: settings,
          sigmas: config.sigmas,
          size: { c, h, w },
          animate: options.animate ?? false,
        });
        const folder = options.out ?? (isFolder(path) ? path : dirname(path));
        writePictures(folder, samples, frames, { n: settings.count, c, h, w });
      } finally {
        engine.destroy();
      }
    });
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

export interface Size {
  c: number;
  h: number;
  w: number;
}

export interface SampleRequest extends Pick<AnnealedConfig, "sampling" | "sigmas"> {
  readonly size: Size;
  /** Keep pictures of the chain along the way. */
  readonly animate: boolean;
}

/** Pictures of an animation. */
const FRAMES = 48;

/** Runs the sampler with progress; images [n, c, h, w] clamped to [0, 1] and, for an animation, the chain before. */
export async function drawSamples(
  engine: Engine,
  network: ScoreNet,
  { sampling, sigmas: ladder, size, animate }: SampleRequest,
): Promise<{ samples: Float32Array<ArrayBuffer>; frames: Float32Array<ArrayBuffer>[] }> {
  const sigmas = geometricSigmas(ladder);
  const { count, ...settings } = sampling;
  const shape = [count, size.c, size.h, size.w];
  const progress = new Progress("sampling", sigmas.length * settings.stepsPerLevel);
  const frames: Float32Array<ArrayBuffer>[] = [];
  const onStep = async ({ done, total, sigma, x }: SamplerStep): Promise<void> => {
    if (animate && done >= (frames.length * total) / FRAMES)
      frames.push((await x.data()) as Float32Array<ArrayBuffer>);
    else if (done % 4 === 0) await engine.sync();
    progress.update(done, `sigma ${sigma.toPrecision(2)}`);
  };
  const x = await annealedLangevin(engine, asPredictor(network), shape, { sigmas, ...settings, onStep });
  const samples = (await x.data()) as Float32Array<ArrayBuffer>;
  x.dispose();
  if (!samples.every(Number.isFinite))
    throw new UsageError(
      `sample: the images are not finite with step size ${settings.epsilon}; ` +
        "lower --epsilon (sampling.epsilon in the configuration)",
    );
  const clamped = samples.map((v) => Math.min(1, Math.max(0, v)));
  return { samples: clamped, frames: animate ? [...frames, clamped] : [] };
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
