import { type Command, Option } from "commander";
import { UsageError } from "../../engine/errors.ts";
import type { Probe } from "../../samplers/index.ts";
import { MOST_EXACT } from "../../samplers/ode/likelihood.ts";
import { type BitsSummary, measureBits, summaryOf } from "../control/bits.ts";
import { type FlowSolverOptions, TOLERANCE, withFlow } from "../control/flow-options.ts";
import { type ImageOptions, openGiven, withImages } from "../control/images.ts";
import { inTime, openTrained, type Trained, withScore } from "../control/trained.ts";
import { wholeFrom } from "../options.ts";

interface LikelihoodOptions extends ImageOptions, FlowSolverOptions {
  probe: Probe;
  repeats: number;
  seed?: number;
  raw?: boolean;
  json?: boolean;
}

const probes = ["rademacher", "gaussian", "exact"] as const satisfies readonly Probe[];

export function likelihoodCommand(program: Command): void {
  const command = program
    .command("likelihood")
    .description("measure bits per dimension of images under a network on an SDE")
    .argument("<run>", "a run's folder or a checkpoint file");
  withFlow(withImages(command, COUNT))
    .addOption(
      new Option("--probe <name>", "of the divergence: a random vector, or all directions (small images)")
        .choices(probes)
        .default("rademacher"),
    )
    .option(
      "--repeats <n>",
      "measurements of each image, with new dequantization and a new probe each",
      wholeFrom(1, "--repeats"),
      1,
    )
    .option("--seed <seed>", "of the first measurement; the next ones count on", wholeFrom(0, "--seed"))
    .option("--raw", "the newest weights instead of their running average")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      "\nImages in 256 grey values are dequantized uniformly, so that the bits bound those of the grey values" +
        "\nfrom above; docs/control.md tells more.",
    )
    .action(async (path: string, options: LikelihoodOptions) => {
      const trained = inTime("likelihood", openTrained(path));
      requireSmall(trained, options.probe);
      const given = openGiven("likelihood", trained, options, COUNT);
      const { config, size } = trained;
      const { probe, batch, tolerance = TOLERANCE, repeats } = options;
      const seed = options.seed ?? config.sampling.seed;
      if (seed > Number.MAX_SAFE_INTEGER - (repeats - 1))
        throw new UsageError(
          `likelihood: got seed ${seed} with --repeats ${repeats}, whose last seed is beyond 2^53 - 1; lower --seed`,
        );
      const seeds = Array.from({ length: repeats }, (_, r) => seed + r);
      const request = { config, size, given, probe, seeds, batch, tolerance };
      const { measured, nfe } = await withScore(trained, options.raw, (engine, score) =>
        measureBits(engine, score, request),
      );
      const summary = summaryOf(measured);
      const facts = {
        images: given.source,
        count: given.count,
        bitsPerDim: summary.mean,
        standardError: summary.standardError,
        measurementError: summary.measurementError,
        ...{ nfe, probe, seeds, tolerance, batch },
        dequantization: "uniform: (v + u) / 256, v one of 256 grey values, u uniform on [0, 1) by the seed",
        perImage: summary.perImage.map((bits, i) => ({
          image: given.first + i,
          bitsPerDim: bits,
          measured: measured.map((run) => run[i]!),
        })),
      };
      if (options.json) console.log(JSON.stringify(facts, null, 2));
      else print(facts, summary, given.first);
    });
}

/** Images, unless told. */
const COUNT = 16;

function requireSmall({ size: { c, h, w } }: Trained, probe: Probe): void {
  if (probe === "exact" && c * h * w > MOST_EXACT)
    throw new UsageError(
      `likelihood: got --probe exact for images of ${c}x${h}x${w}, ${c * h * w} numbers, expected at most ` +
        `${MOST_EXACT}; take --probe rademacher with --repeats`,
    );
}

/** Lines of a table that a reader still reads. */
const SHOWN = 32;

function print(
  {
    images,
    nfe,
    probe,
    seeds,
    dequantization,
  }: { images: string; nfe: number; probe: Probe; seeds: readonly number[]; dequantization: string },
  { perImage, mean, standardError, measurementError }: BitsSummary,
  first: number,
): void {
  console.log("image   bits/dim");
  for (const [i, bits] of perImage.slice(0, SHOWN).entries())
    console.log(`${String(first + i).padEnd(7)} ${bits.toFixed(4).padStart(8)}`);
  if (perImage.length > SHOWN) console.log(`... and ${perImage.length - SHOWN} more; --json tells them all`);
  const seedsSaid = seeds.length === 1 ? `seed ${seeds[0]}` : `seeds ${seeds[0]} to ${seeds.at(-1)}`;
  const errors = [
    standardError !== null && `standard error ${standardError.toFixed(4)} over images`,
    measurementError !== null && `${measurementError.toFixed(4)} over measurements of these`,
  ].filter(Boolean);
  console.log();
  console.log(
    `mean    ${mean.toFixed(4).padStart(8)} bits/dim${errors.length > 0 ? `, ${errors.join(", ")}` : ""}`,
  );
  console.log(`of      ${images}`);
  console.log(`as      ${dequantization}`);
  console.log(`by      ${probe} probe, ${seedsSaid}, ${Math.round(nfe)} evaluations of the score`);
}
