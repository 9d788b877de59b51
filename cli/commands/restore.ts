import type { Command } from "commander";
import { type ImageOptions, openGiven, withImages } from "../control/images.ts";
import { observationOf } from "../control/operator.ts";
import {
  counted,
  Output,
  type OutputOptions,
  pictureOf,
  requireFinite,
  withOutput,
} from "../control/output.ts";
import { clamped, repeated, rms, spread } from "../control/pixels.ts";
import { type ReplacementOptions, replacementOf, withReplacement } from "../control/replacement.ts";
import { type Restorations, type RestoreRequest, restoreImages } from "../control/restoring.ts";
import { folderFor, onSde, openTrained, withScore } from "../control/trained.ts";
import { wholeFrom } from "../options.ts";
import { npz } from "../pictures/npz.ts";

interface RestoreOptions extends ImageOptions, ReplacementOptions, OutputOptions {
  operator: string;
  n: number;
}

export function restoreCommand(program: Command): void {
  const command = program
    .command("restore")
    .description("draw images from a linear observation of them, several times each")
    .argument("<run>", "a run's folder or a checkpoint file, of a network on an SDE")
    .requiredOption(
      "--operator <name:value>",
      "superres:N means over NxN pixels, blur:SIGMA pixels, fourier:SHARE of the frequencies",
    );
  withReplacement(withImages(command)).option(
    "--n <count>",
    "restorations of each image",
    wholeFrom(1, "--n"),
    4,
  );
  withOutput(command, "restored.npz")
    .addHelpText(
      "after",
      "\nWrites restored.png, a row for each image: the image, what was observed of it, its restorations." +
        "\nWhat is not given is as the run's configuration says; docs/control.md tells how far to trust it.",
    )
    .action(async (path: string, options: RestoreOptions) => {
      const trained = onSde("restore", openTrained(path));
      const { config, size } = trained;
      const { nfe, ...sampler } = replacementOf("restore", config, options);
      const observation = observationOf(options.operator, size, sampler.seed);
      const given = openGiven("restore", trained, options);
      const output = new Output(folderFor("restore", trained, options.out));
      const request = { config, size, given, n: options.n, observation, sampler };
      const restored = await withScore(trained, options.raw, (engine, score) =>
        restoreImages(engine, score, request),
      );
      requireFinite("restore", restored.pixels, "lower --snr");
      write(output, { ...request, nfe }, restored, options);
    });
}

function write(
  output: Output,
  { given, n, size, observation, sampler, nfe }: RestoreRequest & { nfe: number },
  { pixels, observed, residual, relative }: Restorations,
  options: RestoreOptions,
): void {
  const { count, source } = given;
  const { c, h, w } = size;
  const parts = [
    { pixels: given.pixels, columns: 1 },
    { pixels: observed, columns: 1 },
    { pixels, columns: n },
  ];
  output.write("restored.png", pictureOf(count, parts, size));
  if (options.npz)
    output.write(
      "restored.npz",
      npz({
        images: { data: given.pixels, shape: [count, c, h, w] },
        observed: { data: observed, shape: [count, c, h, w] },
        restorations: { data: pixels, shape: [count, n, c, h, w] },
      }),
    );
  const shown = clamped(pixels);
  const difference = rms(shown, repeated(given.pixels, count, n));
  const before = rms(observed, given.pixels);
  const among = spread(shown, { count, n });
  output.tell(
    options.json,
    {
      images: source,
      ...{ count, n, seed: sampler.seed, operator: options.operator, observation: observation.name, nfe },
      residual: { ...residual, relative },
      difference: { observed: before, restored: difference },
      spread: among,
    },
    [
      `${counted(n, "restoration")} of ${counted(count, "image")} (${source}) from ${observation.name}; ` +
        `seed ${sampler.seed}, ${nfe} evaluations of the score`,
      `|A x - y|: ${residual.drawn.toExponential(1)} as drawn, ${relative.toExponential(1)} of |y|; ` +
        `${residual.shown.toExponential(1)} clamped to [0, 1] as shown`,
      `from the images: ${difference.toFixed(4)}, root mean square, what was observed ${before.toFixed(4)}` +
        (n > 1 ? `; ${among.toFixed(4)} among the restorations of one` : ""),
    ],
  );
}
