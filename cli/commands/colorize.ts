import type { Command } from "commander";
import { UsageError } from "../../engine/errors.ts";
import { type ColorRequest, drawColors, greyOf } from "../control/colorizing.ts";
import { openGiven } from "../control/images.ts";
import { Output, requireFinite } from "../control/output.ts";
import { largest, type Pixels, repeated } from "../control/pixels.ts";
import { replacementOf } from "../control/replacement.ts";
import {
  amongThem,
  keepSeveral,
  requireShown,
  type SeveralOptions,
  severalOf,
  showSeveral,
  withSeveral,
} from "../control/several.ts";
import { onSde, openTrained, type Trained, withScore } from "../control/trained.ts";
import { folderFor } from "../run-folder.ts";

const names = { sample: "coloring", beside: "its grey values", file: "colorized" };

export function colorizeCommand(program: Command): void {
  const command = program
    .command("colorize")
    .description("draw colours for grey images, several times each")
    .argument("<run>", "a run's folder or a checkpoint file, of a network of colour images on an SDE");
  withSeveral(command, names).action(async (path: string, options: SeveralOptions) => {
    const trained = onSde("colorize", openTrained(path));
    requireColour(trained);
    const { config, size } = trained;
    const { nfe, ...sampler } = replacementOf("colorize", config, options);
    const given = openGiven("colorize", trained, options);
    const output = new Output(folderFor("colorize", path, options.out));
    const grey = greyOf(given.pixels, given.count);
    const request = { config, size, given, n: options.n, grey, sampler };
    requireShown("colorize", request);
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
  request: ColorRequest & { nfe: number },
  colorings: Pixels,
  { npz, json }: SeveralOptions,
): void {
  const { given, n, grey, size, sampler, nfe } = request;
  const { count, source } = given;
  const { c, h, w } = size;
  const drawn = { known: repeated(grey, count, c), samples: colorings };
  const distances = showSeveral(output, names, request, drawn);
  if (npz) keepSeveral(output, names, request, colorings, { grey: { data: grey, shape: [count, 1, h, w] } });
  const greyError = largest(greyOf(colorings, count * n), repeated(grey, count, n));
  output.tell(json, { images: source, count, n, seed: sampler.seed, nfe, greyError, ...distances }, [
    `${severalOf(names, request)}; seed ${sampler.seed}, ${nfe} evaluations of the score`,
    `grey values: off by ${greyError.toExponential(1)} at most`,
    `colours: ${distances.difference.toFixed(4)} from the images, root mean square` +
      amongThem(names, request, distances),
  ]);
}
