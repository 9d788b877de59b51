import { type Command, Option } from "commander";
import type { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import type { ScoreFunction } from "../../samplers/index.ts";
import type { AnnealedConfig } from "../config.ts";
import { TOLERANCE, withTolerance } from "../control/flow-options.ts";
import { type GivenImages, openGiven } from "../control/images.ts";
import { ladderRows } from "../control/ladder-rows.ts";
import { type Ends, type Interpolations, interpolate } from "../control/latents.ts";
import {
  counted,
  Output,
  type OutputOptions,
  pictureOf,
  requireFinite,
  requirePicture,
  withOutput,
} from "../control/output.ts";
import { requireOwn } from "../control/own-options.ts";
import { clamped, type Pixels, rms } from "../control/pixels.ts";
import { annealingOf } from "../control/replacement.ts";
import { inTime, openTrained, type Trained, withScore } from "../control/trained.ts";
import { most } from "../limits.ts";
import { positive, wholeFrom } from "../options.ts";
import { npz } from "../pictures/npz.ts";
import { folderFor } from "../run-folder.ts";

interface InterpolateOptions extends OutputOptions {
  between?: readonly [number, number];
  of?: "seeds" | "images";
  images?: string;
  rows: number;
  steps: number;
  temperature?: number;
  tolerance?: number;
  seed?: number;
  stepsPerLevel?: number;
  epsilon?: number;
}

export function interpolateCommand(program: Command): void {
  const command = program
    .command("interpolate")
    .description("draw rows of images that lead from one to another")
    .argument("<run>", "a run's folder or a checkpoint file")
    .option("--rows <n>", "rows", wholeFrom(1, "--rows"), 4)
    .option("--steps <K>", "images in a row, both ends among them", wholeFrom(2, "--steps"), 8)
    .option("--between <a,b>", "on an SDE: two seeds, or the numbers of two images; 0,1 unless given", pairOf)
    .addOption(
      new Option("--of <what>", "what --between numbers; seeds unless given").choices(["seeds", "images"]),
    )
    .option("--images <path>", "with --of images: a folder, in place of the run's held-back ones")
    .option(
      "--temperature <f>",
      "of latents of seeds: below 1 for likelier images",
      positive("--temperature"),
    );
  withTolerance(command, "on an SDE: ")
    .option("--seed <seed>", "on a ladder: one seed gives one set of rows", wholeFrom(0, "--seed"))
    .option(
      "--steps-per-level <T>",
      "on a ladder: steps at each noise scale",
      wholeFrom(1, "--steps-per-level", most.steps),
    )
    .option("--epsilon <e>", "on a ladder: step size at the smallest noise scale", positive("--epsilon"));
  withOutput(command, "interpolated.npz")
    .addHelpText(
      "after",
      "\nWrites interpolated.png. On an SDE row r goes along the arc between the latents of two ends: sample r of" +
        "\nboth seeds, or images a + r and b + r, which then stand at its ends. On a ladder the images of a row mix two noises.",
    )
    .action(async (path: string, options: InterpolateOptions) => {
      const trained = openTrained(path);
      requireOwn("interpolate", trained.config, options, own);
      const { rows, steps } = options;
      requirePicture("interpolate", rows, steps, trained.size, "lower --rows or --steps");
      const output = new Output(folderFor("interpolate", path, options.out));
      const plan = trained.config.sde ? flowPlan(trained, options) : ladderPlan(trained, options);
      const drawn = await withScore(trained, options.raw, plan.draw);
      write(output, trained, drawn, options, plan);
    });
}

interface Plan {
  /** What is told beside the pictures. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Images from which rows go, and to which. */
  readonly ends?: readonly [GivenImages, GivenImages];
  readonly draw: (engine: Engine, score: ScoreFunction) => Promise<Interpolations>;
}

function ladderPlan(
  { config, size }: Trained,
  { rows, steps, stepsPerLevel, ...options }: InterpolateOptions,
): Plan {
  const ladder = config as AnnealedConfig;
  const sampler = annealingOf(ladder, { ...options, steps: stepsPerLevel, denoise: ladder.sampling.denoise });
  return {
    facts: { seed: sampler.seed },
    draw: (engine, score) => ladderRows(engine, score, { config: ladder, size, sampler, rows, steps }),
  };
}

function flowPlan(trained: Trained, options: InterpolateOptions): Plan {
  const { config, size } = inTime("interpolate", trained);
  const ends = endsOf(trained, options);
  const { between = FIRST, of = "seeds", temperature = 1, tolerance = TOLERANCE, steps } = options;
  return {
    facts: { between, of, temperature, tolerance },
    ...("images" in ends && { ends: ends.images }),
    draw: (engine, score) => interpolate(engine, score, { config, size, ends, steps, tolerance }),
  };
}

/** The pair, unless told. */
const FIRST = [0, 1] as const;

const own = {
  ladder: ["seed", "stepsPerLevel", "epsilon"],
  sde: ["between", "of", "images", "temperature", "tolerance"],
} as const;

function endsOf(trained: Trained, options: InterpolateOptions): Ends {
  const { rows, images, of = "seeds", temperature, between: [a, b] = FIRST } = options;
  if (of === "seeds") {
    if (images !== undefined)
      throw new UsageError("interpolate: got --images with seeds, expected --of images with it");
    return { seeds: [a, b], rows, temperature: temperature ?? 1 };
  }
  if (temperature !== undefined)
    throw new UsageError(
      "interpolate: got --temperature with --of images, whose latents are not drawn; leave one of them out",
    );
  const at = (from: number) =>
    openGiven("interpolate", trained, {
      data: [from, from + rows],
      asked: `--between ${a},${b} in ${rows} rows`,
      ...(images !== undefined && { images }),
    });
  return { images: [at(a), at(b)] };
}

function pairOf(text: string): readonly [number, number] {
  const [a, b] = text.split(",").map(Number);
  if (/^\d+,\d+$/.test(text) && Number.isSafeInteger(a) && Number.isSafeInteger(b) && a !== b)
    return [a!, b!];
  throw new UsageError(`got --between ${text}, expected two different whole numbers, such as 3,7`);
}

function write(
  output: Output,
  { size }: Trained,
  { pixels, nfe }: Interpolations,
  options: InterpolateOptions,
  { facts, ends }: Plan,
): void {
  requireFinite("interpolate", pixels, "lower --epsilon on a ladder, --tolerance on an SDE");
  const { rows, steps } = options;
  const { c, h, w } = size;
  const middle = { pixels, columns: steps };
  const [a, b] = (ends ?? []).map((given) => ({ pixels: given.pixels, columns: 1 }));
  output.write("interpolated.png", pictureOf(rows, a && b ? [a, middle, b] : [middle], size));
  if (options.npz)
    output.write("interpolated.npz", npz({ samples: { data: pixels, shape: [rows, steps, c, h, w] } }));
  const shown = clamped(pixels);
  const distance = {
    neighbours: apart(shown, { rows, steps, by: 1 }),
    ends: apart(shown, { rows, steps, by: steps - 1 }),
  };
  output.tell(options.json, { rows, steps, ...facts, nfe, distance }, [
    `${counted(rows, "row")} of ${steps} images; ${nfe} evaluations of the score`,
    `neighbours are ${distance.neighbours.toFixed(4)} apart and the ends of a row ${distance.ends.toFixed(4)}, root mean square`,
  ]);
}

/** Root mean square of the differences between the images of a row so many places apart. */
function apart(pixels: Pixels, { rows, steps, by }: { rows: number; steps: number; by: number }): number {
  const row = pixels.length / rows;
  const span = (row / steps) * by;
  const [here, there] = [new Float32Array(rows * (row - span)), new Float32Array(rows * (row - span))];
  for (let r = 0; r < rows; r++) {
    here.set(pixels.subarray(r * row, (r + 1) * row - span), r * (row - span));
    there.set(pixels.subarray(r * row + span, (r + 1) * row), r * (row - span));
  }
  return rms(here, there);
}
