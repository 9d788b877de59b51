import { type Command, Option } from "commander";
import { UsageError } from "../../engine/errors.ts";
import type { Config } from "../config.ts";
import { type CompletionRequest, complete } from "../control/completion.ts";
import { type ImageOptions, openGiven, withImages } from "../control/images.ts";
import { maskNames, maskOf } from "../control/mask.ts";
import {
  counted,
  Output,
  type OutputOptions,
  pictureOf,
  requireFinite,
  withOutput,
} from "../control/output.ts";
import { clamped, type Pixels, repeated, rms, spread } from "../control/pixels.ts";
import {
  annealingOf,
  type ReplacementOptions,
  replacementOf,
  withReplacement,
} from "../control/replacement.ts";
import { folderFor, openTrained, withScore } from "../control/trained.ts";
import { positive, wholeFrom } from "../options.ts";
import { npz } from "../pictures/npz.ts";

interface InpaintOptions extends ImageOptions, ReplacementOptions, OutputOptions {
  mask: string;
  n: number;
  epsilon?: number;
  redraw?: "level" | "step";
}

export function inpaintCommand(program: Command): void {
  const command = program
    .command("inpaint")
    .description("draw the hidden pixels of images, several times each")
    .argument("<run>", "a run's folder or a checkpoint file")
    .option("--mask <name>", `what is hidden: ${maskNames.join(", ")}`, "right");
  withReplacement(withImages(command), "steps at each noise scale, or of the SDE")
    .option("--n <count>", "completions of each image", wholeFrom(1, "--n"), 4)
    .option("--epsilon <e>", "step size at the smallest noise scale", positive("--epsilon"))
    .addOption(
      new Option(
        "--redraw <when>",
        "on a ladder: new noise for the known pixels at each level or step",
      ).choices(["level", "step"]),
    );
  withOutput(command, "inpainted.npz")
    .addHelpText(
      "after",
      "\nWrites inpainted.png, a row for each image: the image, what is known of it, its completions." +
        "\nWhat is not given is as the run's configuration says; docs/control.md tells how far to trust it.",
    )
    .action(async (path: string, options: InpaintOptions) => {
      const trained = openTrained(path);
      const { config, size } = trained;
      const sampler = samplerOf(config, options);
      const mask = maskOf(options.mask, size, sampler.seed);
      const given = openGiven("inpaint", trained, options);
      const output = new Output(folderFor("inpaint", trained, options.out));
      const request = { config, size, given, n: options.n, mask, sampler };
      const completions = await withScore(trained, options.raw, (engine, score) =>
        complete(engine, score, request),
      );
      requireFinite("inpaint", completions, config.sde ? "lower --snr" : "lower --epsilon");
      write(output, request, completions, options);
    });
}

/** Options of only one kind of network. */
const own = {
  ladder: ["epsilon", "redraw"],
  sde: ["predictor", "corrector", "correctorSteps", "snr"],
} as const;
const flags = { correctorSteps: "corrector-steps" } as Readonly<Record<string, string>>;

function samplerOf(config: Config, options: InpaintOptions): CompletionRequest["sampler"] & { nfe: number } {
  for (const name of own[config.sde ? "ladder" : "sde"])
    if (options[name] !== undefined)
      throw new UsageError(
        `inpaint: got --${flags[name] ?? name}, which is for networks ` +
          `${config.sde ? "on a ladder of noise scales" : "on an SDE"}; leave it out`,
      );
  if (config.sde) return replacementOf("inpaint", config, options);
  return { ...annealingOf(config, options), redraw: options.redraw ?? "level" };
}

function write(
  output: Output,
  { given, n, mask, size, sampler }: CompletionRequest & { sampler: { nfe: number } },
  completions: Pixels,
  options: InpaintOptions,
): void {
  const { c, h, w } = size;
  const isKnown = (i: number) => mask[i % (h * w)] === 1;
  const masked = given.pixels.map((v, i) => (isKnown(i) ? v : UNKNOWN));
  const parts = [
    { pixels: given.pixels, columns: 1 },
    { pixels: masked, columns: 1 },
    { pixels: completions, columns: n },
  ];
  output.write("inpainted.png", pictureOf(given.count, parts, size));
  if (options.npz)
    output.write(
      "inpainted.npz",
      npz({
        images: { data: given.pixels, shape: [given.count, c, h, w] },
        mask: { data: mask, shape: [1, 1, h, w] },
        completions: { data: completions, shape: [given.count, n, c, h, w] },
      }),
    );
  const hiddenShare = 1 - mask.reduce((sum, m) => sum + m, 0) / mask.length;
  const shown = clamped(completions);
  const difference = rms(shown, repeated(given.pixels, given.count, n), (i) => !isKnown(i));
  const among = spread(shown, { count: given.count, n }, (i) => !isKnown(i));
  output.tell(
    options.json,
    {
      images: given.source,
      ...{ count: given.count, n, seed: sampler.seed, mask: options.mask, hiddenShare },
      ...{ nfe: sampler.nfe, difference, spread: among },
    },
    [
      `${counted(n, "completion")} of ${counted(given.count, "image")} (${given.source}), ${(100 * hiddenShare).toFixed(1)} % hidden; ` +
        `seed ${sampler.seed}, ${sampler.nfe} evaluations of the score`,
      `hidden pixels: ${difference.toFixed(4)} from the images, root mean square` +
        (n > 1 ? `; ${among.toFixed(4)} among the completions of one` : ""),
    ],
  );
}

/** The shade of what is not known. */
const UNKNOWN = 0.5;
