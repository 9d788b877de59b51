import { type Command, Option } from "commander";
import type { Config } from "../config.ts";
import { type CompletionRequest, complete } from "../control/completion.ts";
import { openGiven } from "../control/images.ts";
import { maskNames, maskOf } from "../control/mask.ts";
import { Output, requireFinite } from "../control/output.ts";
import { requireOwn } from "../control/own-options.ts";
import type { Pixels } from "../control/pixels.ts";
import { annealingOf, replacementOf } from "../control/replacement.ts";
import {
  amongThem,
  keepSeveral,
  requireShown,
  type SeveralOptions,
  severalOf,
  showSeveral,
  withSeveral,
} from "../control/several.ts";
import { openTrained, withScore } from "../control/trained.ts";
import { positive } from "../options.ts";
import { folderFor } from "../run-folder.ts";

interface InpaintOptions extends SeveralOptions {
  mask: string;
  epsilon?: number;
  redraw?: "level" | "step";
}

const names = { sample: "completion", beside: "what is known of it", file: "inpainted" };

export function inpaintCommand(program: Command): void {
  const command = program
    .command("inpaint")
    .description("draw the hidden pixels of images, several times each")
    .argument("<run>", "a run's folder or a checkpoint file")
    .option("--mask <name>", `what is hidden: ${maskNames.join(", ")}`, "right")
    .option("--epsilon <e>", "on a ladder: step size at the smallest noise scale", positive("--epsilon"))
    .addOption(
      new Option(
        "--redraw <when>",
        "on a ladder: new noise for the known pixels at each level or step",
      ).choices(["level", "step"]),
    );
  withSeveral(command, names, "steps at each noise scale, or of the SDE").action(
    async (path: string, options: InpaintOptions) => {
      const trained = openTrained(path);
      const { config, size } = trained;
      const sampler = samplerOf(config, options);
      const mask = maskOf(options.mask, size, sampler.seed);
      const given = openGiven("inpaint", trained, options);
      const output = new Output(folderFor("inpaint", path, options.out));
      const request = { config, size, given, n: options.n, mask, sampler };
      requireShown("inpaint", request);
      const completions = await withScore(trained, options.raw, (engine, score) =>
        complete(engine, score, request),
      );
      requireFinite("inpaint", completions, config.sde ? "lower --snr" : "lower --epsilon");
      write(output, request, completions, options);
    },
  );
}

const own = {
  ladder: ["epsilon", "redraw"],
  sde: ["predictor", "corrector", "correctorSteps", "snr"],
} as const;

function samplerOf(config: Config, options: InpaintOptions): CompletionRequest["sampler"] & { nfe: number } {
  requireOwn("inpaint", config, options, own);
  if (config.sde) return replacementOf("inpaint", config, options);
  return { ...annealingOf(config, options), redraw: options.redraw ?? "level" };
}

function write(
  output: Output,
  request: CompletionRequest & { sampler: { nfe: number } },
  completions: Pixels,
  options: InpaintOptions,
): void {
  const { given, n, mask, size, sampler } = request;
  const { h, w } = size;
  const isKnown = (i: number) => mask[i % (h * w)] === 1;
  const drawn = { known: given.pixels.map((v, i) => (isKnown(i) ? v : UNKNOWN)), samples: completions };
  const distances = showSeveral(output, names, request, drawn, (i) => !isKnown(i));
  if (options.npz)
    keepSeveral(output, names, request, completions, { mask: { data: mask, shape: [1, 1, h, w] } });
  const hiddenShare = 1 - mask.reduce((sum, m) => sum + m, 0) / mask.length;
  output.tell(
    options.json,
    {
      images: given.source,
      ...{ count: given.count, n, seed: sampler.seed, mask: options.mask, hiddenShare },
      ...{ nfe: sampler.nfe, ...distances },
    },
    [
      `${severalOf(names, request)}, ${(100 * hiddenShare).toFixed(1)} % hidden; ` +
        `seed ${sampler.seed}, ${sampler.nfe} evaluations of the score`,
      `hidden pixels: ${distances.difference.toFixed(4)} from the images, root mean square` +
        amongThem(names, request, distances),
    ],
  );
}

/** The shade of what is not known. */
const UNKNOWN = 0.5;
