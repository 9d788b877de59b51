import { join } from "node:path";
import { type Command, Option } from "commander";
import { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import type { Checkpoint } from "../../train/checkpoint.ts";
import { type Config, parseConfig } from "../config.ts";
import { heldBackBits } from "../evaluation/bits.ts";
import { type Comparison, compare, comparedCount, setsOf } from "../evaluation/compare.ts";
import { hashOfValues } from "../evaluation/hash.ts";
import { type ReportParts, reportLines, reportOf } from "../evaluation/report.ts";
import { readSamples } from "../evaluation/samples-file.ts";
import {
  classifierSource,
  inceptionSource,
  type SpaceSource,
  usualClassifierSource,
} from "../evaluation/spaces.ts";
import { openNetwork } from "../network.ts";
import { wholeFrom } from "../options.ts";
import { writeFileAtomic } from "../pictures/write.ts";
import { endLine, statusLine } from "../progress.ts";
import { requireRoom } from "../room.ts";
import { openCheckpoint, openImages } from "../run.ts";
import { folderFor } from "../run-folder.ts";
import { drawSamples } from "../sampler.ts";
import { applyOptions } from "../sampling/options.ts";
import { scoreOf } from "../score.ts";
import { weightsOf } from "../weights.ts";

interface EvaluateOptions {
  n?: number;
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

/** Into a run's folder. */
const written = { report: "evaluation.json", picture: "nearest.png" };

/** Images that are drawn unless told. */
const DRAWN = 500;

export function evaluateCommand(program: Command): void {
  program
    .command("evaluate")
    .description("measure how good a trained network's images are, beside real images and noise")
    .argument("<run>", "a run's folder or a checkpoint file")
    .option("--n <count>", "images to draw; 500 unless given", wholeFrom(1, "--n"))
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
    .option(
      "--likelihood <count>",
      "of an SDE: also bits/dim of so many held-back images",
      wholeFrom(1, "--likelihood"),
    )
    .option("--no-neighbours", "leave out the search for copies of training images")
    .option("--seed <seed>", "of images and comparison; as configured unless given", wholeFrom(0, "--seed"))
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
  takeOptions(config, options);
  const folder = folderFor("evaluate", path, options.out);
  const { image } = checkpoint;
  requireRoom("evaluate", config.sampling.count, image, "lower --n");
  const given = options.samples === undefined ? undefined : readSamples(options.samples, image);
  const images = openImages(config);
  const real = options.against === "train" ? images.train : images.heldBack;
  comparedCount(given?.count ?? config.sampling.count, real.count);
  const sources = sourcesOf(options, config.data.name, image);

  const values = weightsOf(checkpoint, path, options.raw);
  const engine = await Engine.create();
  try {
    const network = openNetwork(engine, config, { channels: image[0], height: image[1] });
    network.load(values);
    const spaces = sources.map((source) => source.open(engine));
    const [c, h, w] = image;
    const size = { c, h, w };
    const drawn = given ? undefined : await drawSamples(engine, network, config, { size, animate: false });
    const { seed } = config.sampling;
    const { train, heldBack } = images;
    const { against, pixels = false, neighbours, likelihood } = options;
    const sets = setsOf({
      ...{ samples: given?.pixels ?? drawn!.samples, shape: image, train, heldBack, against },
      seed,
    });
    const comparison = await compare(image, spaces, sets, { pixels, neighbours, seed });
    const bits =
      likelihood !== undefined && config.sde
        ? await heldBackBits(engine, scoreOf(network, config), config, heldBack, {
            ...{ count: Math.min(likelihood, heldBack.count), batch: options.batch, seed },
          })
        : undefined;
    statusLine("");
    endLine();
    const parts: ReportParts = {
      ...{ run: path, step: checkpoint.step, config, images, against, spaces, comparison, bits },
      weights: {
        kind: options.raw || checkpoint.ema.size === 0 ? "raw" : "ema",
        sha256: hashOfValues(values),
      },
      origin: given
        ? { file: options.samples!, count: given.count, sha256: given.sha256 }
        : { nfe: drawn!.nfe },
    };
    const report = reportOf(parts);
    const paths = write(folder, report, comparison);
    if (options.json) console.log(JSON.stringify(report));
    else for (const line of [...reportLines(parts), `wrote ${paths.join(" and ")}`]) console.log(line);
    for (const space of spaces) space.dispose();
  } finally {
    engine.destroy();
  }
}

/** What was asked for goes before what the configuration says. Throws UsageError for what does not go together. */
function takeOptions(
  config: Config,
  { n, batch, seed, denoise, samples, likelihood, raw }: EvaluateOptions,
): void {
  if (likelihood !== undefined && !config.sde)
    throw new UsageError(
      "evaluate: got --likelihood for a network on a ladder of noise scales, which has no likelihood, expected one on an SDE; leave it out",
    );
  const needless = [
    ...(n === undefined ? [] : ["--n"]),
    ...(denoise ? [] : ["--no-denoise"]),
    ...(raw && likelihood === undefined ? ["--raw"] : []),
  ];
  if (samples !== undefined && needless[0])
    throw new UsageError(
      `evaluate: got ${needless[0]} with --samples, whose images are drawn already, expected one of them`,
    );
  applyOptions("evaluate", config, { n: n ?? DRAWN, batch, seed, ...(denoise ? {} : { denoise }) });
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

function write(folder: string, report: object, { picture }: Comparison): string[] {
  const paths: string[] = [];
  const put = (name: string, content: Uint8Array | string) => {
    paths.push(join(folder, name));
    writeFileAtomic(paths.at(-1)!, content);
  };
  put(written.report, `${JSON.stringify(report, null, 2)}\n`);
  if (picture) put(written.picture, picture);
  return paths;
}
