import { rmSync } from "node:fs";
import { join } from "node:path";
import { type Command, Option } from "commander";
import { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import { called } from "../called.ts";
import { correctorNames, methodNames, predictorNames, snrRules } from "../config/sampling.ts";
import { type Config, parseConfig } from "../config.ts";
import { hashOfValues } from "../evaluation/hash.ts";
import { stopOnSignal } from "../interrupt.ts";
import { most } from "../limits.ts";
import { openNetwork } from "../network.ts";
import { between, positive, spanOf, wholeFrom } from "../options.ts";
import { excerpt } from "../pictures/excerpt.ts";
import { animation } from "../pictures/gif.ts";
import { npz } from "../pictures/npz.ts";
import { grid, sheetOf } from "../pictures/png.ts";
import { strip } from "../pictures/strip.ts";
import { writeFileAtomic } from "../pictures/write.ts";
import { endLine } from "../progress.ts";
import { requireRoom } from "../room.ts";
import { files, openCheckpoint } from "../run.ts";
import { folderFor } from "../run-folder.ts";
import { DRAWING, lockRun } from "../run-lock.ts";
import { type Drawn, drawSamples, type Size } from "../sampler.ts";
import { methodOf } from "../sampling/methods.ts";
import { applyOptions, type DrawOptions, identityOf, mergeOptions } from "../sampling/options.ts";
import {
  type Drawing,
  openDrawing,
  requireSameDrawing,
  type SavedDrawing,
  saveDrawing,
} from "../sampling/state.ts";
import { weightsOf } from "../weights.ts";

interface SampleOptions extends DrawOptions {
  json?: boolean;
  out?: string;
  resume?: boolean;
  saveEvery: number;
}

const oneOf = (flags: string, description: string, names: readonly string[]) =>
  new Option(flags, description).choices(names);

export function sampleCommand(program: Command): void {
  program
    .command("sample")
    .description("draw images from a trained network")
    .argument("<run>", "a run's folder or a checkpoint file")
    .option("--n <count>", "how many images", wholeFrom(1, "--n"))
    .option(
      "--range <a:b>",
      "images a to b - 1 of those that the seed gives, to share the work",
      spanOf("--range", "0:64"),
    )
    .option("--batch <count>", "how many at a time; the images are the same", wholeFrom(1, "--batch"))
    .option("--seed <seed>", "one seed gives one set of images", wholeFrom(0, "--seed"))
    .addOption(
      oneOf("--method <name>", "annealed, consistent: of noise scales; others: of an SDE", methodNames),
    )
    .option("--steps <T>", "steps at each noise scale, or of the SDE", wholeFrom(1, "--steps", most.steps))
    .option("--no-denoise", "leave out the last denoising step")
    .option("--epsilon <e>", "annealed, consistent: step size at the smallest scale", positive("--epsilon"))
    .addOption(oneOf("--predictor <name>", "pc", predictorNames))
    .addOption(oneOf("--corrector <name>", "pc", correctorNames))
    .option(
      "--corrector-steps <n>",
      "pc: steps of the corrector at each time",
      wholeFrom(1, "--corrector-steps", most.steps),
    )
    .option("--snr <r>", "pc: signal to noise of the corrector", positive("--snr"))
    .addOption(oneOf("--snr-over <what>", "pc: norms of each image, or as published", snrRules))
    .option("--temperature <f>", "ode, heun, euler: factor of the latents", positive("--temperature"))
    .option("--eta <e>", "ddim: noise, from 0 to 1", between(0, 1, "--eta"))
    .option("--churn <c>", "edm: noise on the way, such as 40", between(0, Infinity, "--churn"))
    .option("--raw", "the newest weights instead of their running average")
    .option("--animate", "also write sampling.gif and denoised.png")
    .option("--npz", "also write samples.npz, for NumPy")
    .option("--json", "say what was done as JSON")
    .option("--resume", "go on with what was stopped, if anything was, as it was asked for then")
    .option("--save-every <s>", "seconds between two saves of the state", positive("--save-every"), 30)
    .option("-o, --out <folder>", "where to write; the run's folder unless given")
    .addHelpText(
      "after",
      "\nWhat is not given is as the run's configuration says. Ctrl-C ends it after the step at hand,\n" +
        "all being kept for --resume; once more ends it at once. Guide: docs/sampling.md",
    )
    .action(sample);
}

async function sample(path: string, typed: SampleOptions): Promise<void> {
  const { json, out, resume = false, saveEvery, ...given } = typed;
  if (given.denoise) delete given.denoise; // Commander's default
  const checkpoint = openCheckpoint(path);
  const folder = folderFor("sample", path, out);
  const state = join(folder, files.drawing);
  using _ = await lockRun("sample", folder, DRAWING); // before the state is read, which another may be about to replace
  const kept = openKept(state, resume);
  const options = kept ? mergeOptions(kept.options, given) : given;
  const config = parseConfig(checkpoint.config, "the checkpoint's configuration");
  applyOptions("sample", config, options);
  methodOf(config); // refuses what no sampler takes
  requireRoom("sample", config.sampling.count, checkpoint.image, "draw them in parts by --range");
  const values = weightsOf(checkpoint, path, options.raw);
  const identity = identityOf(config, options, { weights: hashOfValues(values), image: checkpoint.image });
  if (kept) requireSameDrawing(state, kept.identity, identity);
  if (resume && !json)
    console.log(kept ? goingOn(folder, kept, config) : `${folder}: nothing to go on from, beginning`);

  const [c, h, w] = checkpoint.image;
  const save = (drawing: Drawing) => saveDrawing(state, { drawing, identity, options }, checkpoint.image);
  const stop = stopOnSignal();
  const engine = await Engine.create();
  try {
    const network = openNetwork(engine, config, { channels: c, height: h });
    network.load(values);
    const drawn = await drawSamples(engine, network, config, {
      size: { c, h, w },
      animate: options.animate ?? false,
      offset: options.range?.[0] ?? 0,
      before: kept?.drawing,
      stop,
      keeping: { every: saveEvery, save, resume: resumeLine(path, out) },
    });
    const written = writePictures(folder, drawn, { n: config.sampling.count, c, h, w }, options.npz, json);
    rmSync(state, { force: true });
    if (json) console.log(JSON.stringify(summary(config, options, drawn, written)));
  } finally {
    stop.end();
    engine.destroy();
  }
}

/** What was left in a folder. Throws UsageError where it would be lost. */
function openKept(state: string, resume: boolean): SavedDrawing<DrawOptions> | undefined {
  const kept = openDrawing<DrawOptions>(state);
  if (kept && !resume)
    throw new UsageError(
      `sample: ${state} holds a drawing that was stopped; pass --resume to go on, or remove that file to begin anew`,
    );
  return kept;
}

function goingOn(
  folder: string,
  { drawing: { finished, batch } }: SavedDrawing<DrawOptions>,
  config: Config,
): string {
  const within = batch ? `, after ${batch.point.done} steps of the next ones` : "";
  return `${folder}: going on with ${finished} of ${config.sampling.count} images drawn${within}`;
}

const resumeLine = (path: string, out: string | undefined): string =>
  `${called()} sample ${path}${out === undefined ? "" : ` --out ${out}`} --resume`;

const summary = ({ sampling }: Config, { range }: DrawOptions, { nfe }: Drawn, written: string[]) => ({
  images: sampling.count,
  first: range?.[0] ?? 0,
  seed: sampling.seed,
  method: sampling.method,
  nfe,
  written,
});

/** samples.png and, given frames, sampling.gif and denoised.png; samples.npz if asked for. Returns their paths. */
export function writePictures(
  folder: string,
  { samples, frames, denoised }: Pick<Drawn, "samples" | "frames" | "denoised">,
  { n, ...image }: Size & { n: number },
  numpy = false,
  quiet = false,
): string[] {
  const written: string[] = [];
  const write = (name: string, bytes: Uint8Array) => {
    written.push(join(folder, name));
    writeFileAtomic(written.at(-1)!, bytes);
  };
  const sheet = sheetOf({ n, ...image });
  const pictured = samples.subarray(0, sheet.n * image.c * image.h * image.w);
  write(files.samples, grid(pictured, { ...image, ...sheet }));
  if (frames.length > 0) {
    const { frames: shown, ...options } = excerpt(frames, denoised, image);
    write(files.animation, animation(shown, options));
    if (denoised) write(files.denoised, strip(frames, denoised, { ...image, scale: 3 }));
  }
  if (numpy) write(files.numpy, npz({ samples: { data: samples, shape: [n, image.c, image.h, image.w] } }));
  endLine();
  if (sheet.n < n)
    console.error(
      `stein: ${files.samples} shows the first ${sheet.n} of ${n} images, all have no room in it`,
    );
  if (!quiet) console.log(`wrote ${written.join(" and ")}`);
  return written;
}
