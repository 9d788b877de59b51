import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Command, Option } from "commander";
import { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import { samplingState } from "../../train/checkpoint.ts";
import { correctorNames, methodNames, predictorNames } from "../config/sampling.ts";
import { type Config, parseConfig } from "../config.ts";
import { openNetwork } from "../network.ts";
import { positive, wholeFrom } from "../options.ts";
import { animation } from "../pictures/gif.ts";
import { npz } from "../pictures/npz.ts";
import { grid } from "../pictures/png.ts";
import { writeFileAtomic } from "../pictures/write.ts";
import { files, openCheckpoint } from "../run.ts";
import { type Drawn, drawSamples, type Size } from "../sampler.ts";

/** What both kinds of sampler take, and what only one of them does. */
interface SampleOptions {
  n?: number;
  range?: [from: number, to: number];
  seed?: number;
  steps?: number;
  denoise: boolean;
  epsilon?: number;
  method?: (typeof methodNames)[number];
  predictor?: (typeof predictorNames)[number];
  corrector?: (typeof correctorNames)[number];
  snr?: number;
  animate?: boolean;
  npz?: boolean;
  raw?: boolean;
  out?: string;
}

const oneOf = (flags: string, description: string, names: readonly string[]) =>
  new Option(flags, description).choices(names);

export function sampleCommand(program: Command): void {
  program
    .command("sample")
    .description("draw images from a trained network")
    .argument("<run>", "a run's folder or a checkpoint file")
    .option("--n <count>", "how many images", wholeFrom(1, "--n"))
    .option("--range <a:b>", "images a to b - 1 of those that the seed gives, to share the work", rangeOf)
    .option("--seed <seed>", "one seed gives one set of images", wholeFrom(0, "--seed"))
    .option("--steps <T>", "steps at each noise scale, or of the SDE", wholeFrom(1, "--steps"))
    .option("--no-denoise", "leave out the last denoising step")
    .option("--epsilon <e>", "step size at the smallest noise scale", positive("--epsilon"))
    .addOption(oneOf("--method <name>", "of an SDE: predictor and corrector, or the ODE", methodNames))
    .addOption(oneOf("--predictor <name>", "of an SDE", predictorNames))
    .addOption(oneOf("--corrector <name>", "of an SDE", correctorNames))
    .option("--snr <r>", "signal to noise of the corrector", positive("--snr"))
    .option("--raw", "the newest weights instead of their running average")
    .option("--animate", "also write sampling.gif")
    .option("--npz", "also write samples.npz, for NumPy")
    .option("-o, --out <folder>", "where to write; the run's folder unless given")
    .addHelpText("after", "\nWhat is not given is as the run's configuration says.")
    .action(async (path: string, options: SampleOptions) => {
      const checkpoint = openCheckpoint(path);
      const config = parseConfig(checkpoint.config, "the checkpoint's configuration");
      applyOptions(config, options);
      const [c, h, w] = checkpoint.image;
      const engine = await Engine.create();
      try {
        const network = openNetwork(engine, config, { channels: c, height: h });
        network.load(options.raw ? checkpoint.network : samplingState(checkpoint));
        const drawn = await drawSamples(engine, network, config, {
          size: { c, h, w },
          animate: options.animate ?? false,
          ...(options.range && { offset: options.range[0] }),
          steps: config.sde && options.steps,
        });
        const folder = options.out ?? (isFolder(path) ? path : dirname(path));
        writePictures(folder, drawn, { n: config.sampling.count, c, h, w }, options.npz);
      } finally {
        engine.destroy();
      }
    });
}

/** Options of only one kind of sampler, by their place in the configuration's section. */
const own = {
  annealed: ["epsilon"],
  sde: ["method", "predictor", "corrector", "snr"],
} as const;

/** What was asked for goes before what the configuration says. Throws UsageError for another sampler's options. */
function applyOptions(config: Config, options: SampleOptions): void {
  const { n, range, seed, steps } = options;
  if (n !== undefined && range) throw new UsageError("sample: got --n and --range, expected one of them");
  const [kind, other] = config.sde ? (["sde", "annealed"] as const) : (["annealed", "sde"] as const);
  for (const name of own[other])
    if (options[name] !== undefined)
      throw new UsageError(
        `sample: got --${name}, which is for networks ${config.sde ? "on a ladder of noise scales" : "on an SDE"}; leave it out`,
      );
  if (config.sde && !config.sde.continuous && steps !== undefined)
    throw new UsageError(
      `sample: got --steps ${steps} for a network that knows only its ${config.sde.numScales} steps; leave it out`,
    );
  const sampling: Record<string, unknown> = config.sampling;
  for (const name of own[kind]) if (options[name] !== undefined) sampling[name] = options[name];
  if (!config.sde && steps !== undefined) config.sampling.stepsPerLevel = steps;
  const count = range ? range[1] - range[0] : n;
  if (count !== undefined) config.sampling.count = count;
  if (seed !== undefined) config.sampling.seed = seed;
  config.sampling.denoise &&= options.denoise;
}

function rangeOf(text: string): [number, number] {
  const [a, b] = text.split(":").map(Number);
  if (!/^\d+:\d+$/.test(text) || !Number.isSafeInteger(b) || !(b! > a!))
    throw new UsageError(`got --range ${text}, expected a:b with whole numbers and a below b, such as 0:64`);
  return [a!, b!];
}

export const isFolder = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** samples.png and, given frames, sampling.gif; samples.npz if asked for. */
export function writePictures(
  folder: string,
  { samples, frames }: Pick<Drawn, "samples" | "frames">,
  shape: Size & { n: number },
  numpy = false,
): void {
  const { n, c, h, w } = shape;
  const written: string[] = [];
  const write = (name: string, bytes: Uint8Array) => {
    written.push(join(folder, name));
    writeFileAtomic(written.at(-1)!, bytes);
  };
  write(files.samples, grid(samples, { ...shape, scale: 3 }));
  if (frames.length > 0) write(files.animation, animation(frames, { ...shape, scale: 2 }));
  if (numpy) write(files.numpy, npz({ samples: { data: samples, shape: [n, c, h, w] } }));
  console.log(`wrote ${written.join(" and ")}`);
}
