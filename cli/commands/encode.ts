import type { Command } from "commander";
import type { SdeConfig } from "../config.ts";
import { type FlowSolverOptions, TOLERANCE, withFlow } from "../control/flow-options.ts";
import { type GivenImages, type ImageOptions, openGiven, withImages } from "../control/images.ts";
import { latentNorms, type RoundTrips, roundTrips } from "../control/latents.ts";
import { counted, Output, pictureOf, requireFinite } from "../control/output.ts";
import { largest, type Pixels, rms } from "../control/pixels.ts";
import { inTime, openTrained, type Trained, withScore } from "../control/trained.ts";
import { npz } from "../pictures/npz.ts";
import { folderFor } from "../run-folder.ts";

interface EncodeOptions extends ImageOptions, FlowSolverOptions {
  raw?: boolean;
  json?: boolean;
  out?: string;
}

export function encodeCommand(program: Command): void {
  const command = program
    .command("encode")
    .description("turn images into latents of a network on an SDE, and back")
    .argument("<run>", "a run's folder or a checkpoint file");
  withFlow(withImages(command))
    .option("--raw", "the newest weights instead of their running average")
    .option("--json", "as JSON")
    .option("-o, --out <folder>", "where to write; the run's folder unless given")
    .addHelpText(
      "after",
      "\nWrites latents.npz for NumPy and reconstructions.png, the images above what came back of them.",
    )
    .action(async (path: string, options: EncodeOptions) => {
      const trained = inTime("encode", openTrained(path));
      const given = openGiven("encode", trained, options);
      const output = new Output(folderFor("encode", path, options.out));
      const { config, size } = trained;
      const { batch, tolerance = TOLERANCE } = options;
      const result = await withScore(trained, options.raw, (engine, score) =>
        roundTrips(engine, score, { config, size, given, batch, tolerance }),
      );
      requireFinite("encode", result.back, "lower --tolerance");
      write(output, trained, given, result, options);
    });
}

function write(
  output: Output,
  { config, size }: Trained<SdeConfig>,
  given: GivenImages,
  { latents, back, nfe }: RoundTrips,
  options: EncodeOptions,
): void {
  const { count, pixels } = given;
  const shape = [count, size.c, size.h, size.w];
  output.write(
    "latents.npz",
    npz({
      latents: { data: latents, shape },
      images: { data: pixels, shape },
      reconstructions: { data: back, shape },
    }),
  );
  output.write("reconstructions.png", pairs(given, back, size));
  const error = { max: largest(pixels, back), rms: rms(pixels, back) };
  const norms = latentNorms(latents, count, config);
  const [least, most] = [Math.min(...norms), Math.max(...norms)];
  const each = pixels.length / count;
  output.tell(
    options.json,
    {
      images: given.source,
      count,
      error,
      latentNorms: norms,
      expectedNorm: { mean: 1, std: 1 / Math.sqrt(2 * each) },
      nfe,
      tolerance: options.tolerance ?? TOLERANCE,
    },
    [
      `${counted(count, "image")} (${given.source}) to latents and back; ` +
        `${Math.round(nfe.up)} and ${Math.round(nfe.down)} evaluations of the score`,
      `round trip: off by ${error.rms.toExponential(1)} root mean square, ${error.max.toExponential(1)} at most, ` +
        "in grey levels from 0 to 1",
      `norms of the latents: ${least.toFixed(3)} to ${most.toFixed(3)} of the prior's, ` +
        `whose draws have 1 +- ${(1 / Math.sqrt(2 * each)).toFixed(3)}`,
    ],
  );
}

/** Pairs side by side. */
const COLUMNS = 16;

/** The images in rows of at most COLUMNS, under each row what came back of it. */
function pairs({ pixels, count }: GivenImages, back: Pixels, size: Trained["size"]): Uint8Array {
  const columns = Math.min(count, COLUMNS);
  const rows = Math.ceil(count / columns);
  const row = columns * (pixels.length / count);
  const all = new Float32Array(2 * rows * row);
  for (let k = 0; k < rows; k++) {
    all.set(pixels.subarray(k * row, (k + 1) * row), 2 * k * row);
    all.set(back.subarray(k * row, (k + 1) * row), (2 * k + 1) * row);
  }
  return pictureOf(2 * rows, [{ pixels: all, columns }], size);
}
