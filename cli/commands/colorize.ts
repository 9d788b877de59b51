import type { Command } from "commander";
import { UsageError } from "../../engine/errors.ts";
import { type ColorRequest, drawColors, greyOf } from "../control/colorizing.ts";
import { type ImageOptions, openGiven, withImages } from "../control/images.ts";
import {
  counted,
  Output,
  type OutputOptions,
  pictureOf,
  requireFinite,
  withOutput,
} from "../control/output.ts";
import { clamped, largest, type Pixels, repeated, rms, spread } from "../control/pixels.ts";
import { type ReplacementOptions, replacementOf, withReplacement } from "../control/replacement.ts";
import { folderFor, onSde, openTrained, type Trained, withScore } from "../control/trained.ts";
import { wholeFrom } from "../options.ts";
import { npz } from "../pictures/npz.ts";

interface ColorizeOptions extends ImageOptions, ReplacementOptions, OutputOptions {
  n: number;
}

export function colorizeCommand(program: Command): void {
  const command = program
    .command("colorize")
    .description("draw colours for grey images, several times each")
    .argument("<run>", "a run's folder or a checkpoint file, of a network of colour images on an SDE");
  withReplacement(withImages(command)).option(
    "--n <count>",
    "colorings of each image",
    wholeFrom(1, "--n"),
    4,
  );
  withOutput(command, "colorized.npz")
    .addHelpText(
      "after",
      "\nWrites colorized.png, a row for each image: the image, its grey values, its colorings." +
        "\nWhat is not given is as the run's configuration says; docs/control.md tells how far to trust it.",
    )
    .action(async (path: string, options: ColorizeOptions) => {
      const trained = onSde("colorize", openTrained(path));
      requireColour(trained);
      const { config, size } = trained;
      const { nfe, ...sampler } = replacementOf("colorize", config, options);
      const given = openGiven("colorize", trained, options);
      const output = new Output(folderFor("colorize", trained, options.out));
      const grey = greyOf(given.pixels, given.count);
      const request = { config, size, given, n: options.n, grey, sampler };
      const colorings = await withScore(trained, options.raw, (engine, score) =>
        drawColors(engine, score, request),
      );
      requireFinite("colorize", colorings, "lower --snr");
      write(output, { ...request, nfe }, colorings, options);
    });
}

function requireColour({ size: { c, h, w } }: Trained): void {
  if (c !== 3)
    throw new UsageError(
      `colorize: got a network of grey images, ${c}x${h}x${w}, expected three channels; train one with data.channels 3`,
    );
}

function write(
  output: Output,
  { given, n, grey, size, sampler, nfe }: ColorRequest & { nfe: number },
  colorings: Pixels,
  { npz: asArrays, json }: ColorizeOptions,
): void {
  const { count, pixels, source } = given;
  const { c, h, w } = size;
  const parts = [
    { pixels, columns: 1 },
    { pixels: repeated(grey, count, c), columns: 1 },
    { pixels: colorings, columns: n },
  ];
  output.write("colorized.png", pictureOf(count, parts, size));
  if (asArrays)
    output.write(
      "colorized.npz",
      npz({
        images: { data: pixels, shape: [count, c, h, w] },
        grey: { data: grey, shape: [count, 1, h, w] },
        colorings: { data: colorings, shape: [count, n, c, h, w] },
      }),
    );
  const greyError = largest(greyOf(colorings, count * n), repeated(grey, count, n));
  const shown = clamped(colorings);
  const difference = rms(shown, repeated(pixels, count, n));
  const among = spread(shown, { count, n });
  output.tell(
    json,
    { images: source, count, n, seed: sampler.seed, nfe, greyError, difference, spread: among },
    [
      `${counted(n, "coloring")} of ${counted(count, "image")} (${source}); seed ${sampler.seed}, ${nfe} evaluations of the score`,
      `grey values: off by ${greyError.toExponential(1)} at most`,
      `colours: ${difference.toFixed(4)} from the images, root mean square` +
        (n > 1 ? `; ${among.toFixed(4)} among the colorings of one` : ""),
    ],
  );
}
