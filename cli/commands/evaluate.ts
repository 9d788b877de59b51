import { dirname, join } from "node:path";
import { type Command, Option } from "commander";
import { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import { type Checkpoint, samplingState } from "../../train/checkpoint.ts";
import { type Config, parseConfig } from "../config.ts";
import { type BitsReport, measureBits } from "../evaluation/bits.ts";
import { type Comparison, compare, comparedCount, setsOf } from "../evaluation/compare.ts";
import { drawSet } from "../evaluation/draw.ts";
import { hashOfValues } from "../evaluation/hash.ts";
import { readSamples, type SamplesFile } from "../evaluation/samples-file.ts";
import {
  classifierSource,
  inceptionSource,
  type SpaceSource,
  usualClassifierSource,
} from "../evaluation/spaces.ts";
import { bitsLine, copyLines, figureTable } from "../evaluation/table.ts";
import { openNetwork } from "../network.ts";
import { wholeFrom } from "../options.ts";
import { writeFileAtomic } from "../pictures/write.ts";
import { endLine, statusLine } from "../progress.ts";
import { files, type Images, openCheckpoint, openImages } from "../run.ts";
import { scoreOf } from "../score.ts";
import { isFolder } from "./sample.ts";

interface EvaluateOptions {
  n: number;
  batch: number;
  samples?: string;
  against: "held-back" | "train";
  classifier?: string;
  inception?: string;
  pixels?: boolean;
  likelihood?: number;
  neighbours: boolean;
  seed?: number;
  denoise: boolean;
  raw?: boolean;
  json?: boolean;
  out?: string;
}

export function evaluateCommand(program: Command): void {
  program
    .command("evaluate")
    .description("measure how good a trained network's images are, beside real images and noise")
    .argument("<run>", "a run's folder or a checkpoint file")
    .option("--n <count>", "images to draw", wholeFrom(1, "--n"), 500)
    .option("--batch <count>", "how many at a time", wholeFrom(1, "--batch"), 250)
    .option("--samples <file>", "take the images of a .npz file instead")
    .addOption(
      new Option("--against <what>", "real images to compare with")
        .choices(["held-back", "train"])
        .default("held-back"),
    )
    .option("--classifier <run>", "compare features of this classifier; runs/classifier/DATA unless given")
    .option("--inception <file>", "compare features of Inception v3 with these weights, for FID")
    .option("--pixels", "compare pixels by every distance; without other features unless they are given")
    .option("--likelihood <count>", "also bits/dim of so many held-back images", wholeFrom(1, "--likelihood"))
    .option("--no-neighbours", "leave out the search for copies of training images")
    .option("--seed <seed>", "of the images; as configured unless given", wholeFrom(0, "--seed"))
    .option("--no-denoise", "leave out the last denoising step")
    .option("--raw", "the newest weights instead of their running average")
    .option("--json", "what evaluation.json holds, as JSON")
    .option("-o, --out <folder>", "where to write; the run's folder unless given")
    .addHelpText(
      "after",
      "\nWrites evaluation.json, and nearest.png: samples beside their nearest training images." +
        "\nWhat each figure tells and what it cannot: docs/evaluation.md",
    )
    .action(evaluate);
}

async function evaluate(path: string, options: EvaluateOptions): Promise<void> {
  const checkpoint = openCheckpoint(path);
  const config = parseConfig(checkpoint.config, path);
  applyOptions(config, options);
  const { image } = checkpoint;
  const given = options.samples === undefined ? undefined : readSamples(options.samples, image);
  const images = openImages(config);
  const real = options.against === "train" ? images.train : images.heldBack;
  comparedCount(given?.count ?? options.n, real.count);
  const sources = sourcesOf(options, config.data.name, image);

  const engine = await Engine.create();
  try {
    const network = openNetwork(engine, config, { channels: image[0], height: image[1] });
    const values = options.raw ? checkpoint.network : samplingState(checkpoint);
    network.load(values);
    const spaces = sources.map((source) => source.open(engine));
    const drawn = given ?? (await drawSet(engine, network, config, image, options.batch));
    const { seed } = config.sampling;
    const { train, heldBack } = images;
    const { against, pixels = false, neighbours, likelihood } = options;
    const sets = setsOf({ ...{ samples: drawn.pixels, shape: image, train, heldBack, against }, seed });
    const comparison = await compare(image, spaces, sets, { pixels, neighbours, seed });
    const bits =
      likelihood !== undefined && config.sde
        ? await measureBits(engine, scoreOf(network, config), config, heldBack, {
            ...{ count: Math.min(likelihood, heldBack.count), batch: options.batch, seed },
          })
        : undefined;
    statusLine("");
    endLine();
    const weights = {
      kind: options.raw || checkpoint.ema.size === 0 ? "raw" : "ema",
      sha256: hashOfValues(values),
    };
    const report = {
      ...{ run: path, step: checkpoint.step, weights },
      samples: given
        ? fromFile(options.samples!, given)
        : fromSampler(config, options, drawn as { nfe: number }),
      data: dataOf(config, images, options),
      spaces: spaces.map(({ name, sha256, dim }) => ({ name, dim, sha256 })),
      figures: comparison.figures,
      copies: comparison.copies,
      likelihood: bits ?? null,
    };
    const folder = options.out ?? (isFolder(path) ? path : dirname(path));
    const written = write(folder, report, comparison);
    if (options.json) console.log(JSON.stringify(report));
    else tell(comparison, bits, written);
    for (const space of spaces) space.dispose();
  } finally {
    engine.destroy();
  }
}

/** What was asked for goes before what the configuration says. Throws UsageError for what does not go together. */
function applyOptions(config: Config, { n, seed, denoise, samples, likelihood, raw }: EvaluateOptions): void {
  if (likelihood !== undefined && !config.sde)
    throw new UsageError(
      "evaluate: got --likelihood for a network on a ladder of noise scales, which has no likelihood, expected one on an SDE; leave it out",
    );
  if (samples !== undefined && likelihood === undefined && (raw || !denoise || seed !== undefined))
    throw new UsageError(
      `evaluate: got ${raw ? "--raw" : denoise ? "--seed" : "--no-denoise"} with --samples, whose images are drawn already, expected one of them`,
    );
  config.sampling.count = n;
  if (seed !== undefined) config.sampling.seed = seed;
  config.sampling.denoise &&= denoise;
}

/** Where images are compared. Throws UsageError, telling how to come by one, where nothing was given. */
function sourcesOf(
  { classifier, inception, pixels }: EvaluateOptions,
  set: string,
  image: Checkpoint["image"],
): SpaceSource[] {
  const sources = [
    ...(inception === undefined ? [] : [inceptionSource(inception)]),
    ...(classifier === undefined ? [] : [classifierSource(classifier, image)]),
  ];
  return sources.length > 0 || pixels ? sources : [usualClassifierSource(set, image)];
}

const fromFile = (file: string, { count, sha256 }: SamplesFile) => ({
  ...{ source: "file", count, file, sha256 },
  note: "by what sampler, weights and seed these were drawn is not known",
});

function fromSampler(config: Config, { batch }: EvaluateOptions, { nfe }: { nfe: number }) {
  const { count, seed, denoise, ...sampler } = config.sampling;
  return {
    ...{ source: "drawn", count, seed, denoise, nfe, batch },
    sampler: { kind: config.sde ? config.sde.name : "annealed_langevin", ...sampler },
  };
}

const dataOf = ({ data, sampling }: Config, { train, heldBack }: Images, { against }: EvaluateOptions) => ({
  ...{ name: data.name, train: train.count, heldBack: heldBack.count, against, seed: sampling.seed },
});

function write(folder: string, report: object, { picture }: Comparison): string[] {
  const written: string[] = [];
  const put = (name: string, content: Uint8Array | string) => {
    written.push(join(folder, name));
    writeFileAtomic(written.at(-1)!, content);
  };
  put(files.evaluation, `${JSON.stringify(report, null, 2)}\n`);
  if (picture) put(files.nearest, picture);
  return written;
}

function tell(
  { figures, copies }: Comparison,
  bits: BitsReport | undefined,
  written: readonly string[],
): void {
  const lines = [
    ...figureTable(figures),
    ...copyLines(copies),
    ...(bits ? [bitsLine(bits)] : []),
    ...(figures.some(({ name }) => name === "FID")
      ? []
      : ["none of these is FID, which takes --inception and 10,000 images of each kind: docs/evaluation.md"]),
    `wrote ${written.join(" and ")}`,
  ];
  for (const line of lines) console.log(line);
}
