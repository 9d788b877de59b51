import type { Command } from "commander";
import { openGiven } from "../control/images.ts";
import { observationOf } from "../control/operator.ts";
import { Output, requireFinite } from "../control/output.ts";
import { rms } from "../control/pixels.ts";
import { replacementOf } from "../control/replacement.ts";
import { type Restorations, type RestoreRequest, restoreImages } from "../control/restoring.ts";
import {
  amongThem,
  keepSeveral,
  requireShown,
  type SeveralOptions,
  severalOf,
  showSeveral,
  withSeveral,
} from "../control/several.ts";
import { onSde, openTrained, withScore } from "../control/trained.ts";
import { folderFor } from "../run-folder.ts";

interface RestoreOptions extends SeveralOptions {
  operator: string;
}

const names = { sample: "restoration", beside: "what was observed of it", file: "restored" };

export function restoreCommand(program: Command): void {
  const command = program
    .command("restore")
    .description("draw images from a linear observation of them, several times each")
    .argument("<run>", "a run's folder or a checkpoint file, of a network on an SDE")
    .requiredOption(
      "--operator <name:value>",
      "superres:N means over NxN pixels, blur:SIGMA pixels, fourier:SHARE of the frequencies",
    );
  withSeveral(command, names).action(async (path: string, options: RestoreOptions) => {
    const trained = onSde("restore", openTrained(path));
    const { config, size } = trained;
    const { nfe, ...sampler } = replacementOf("restore", config, options);
    const observation = observationOf(options.operator, size, sampler.seed);
    const given = openGiven("restore", trained, options);
    const output = new Output(folderFor("restore", path, options.out));
    const request = { config, size, given, n: options.n, observation, sampler };
    requireShown("restore", request);
    const restored = await withScore(trained, options.raw, (engine, score) =>
      restoreImages(engine, score, request),
    );
    requireFinite("restore", restored.pixels, "lower --snr");
    write(output, { ...request, nfe }, restored, options);
  });
}

function write(
  output: Output,
  request: RestoreRequest & { nfe: number },
  { pixels, observed, residual, relative }: Restorations,
  options: RestoreOptions,
): void {
  const { given, n, size, observation, sampler, nfe } = request;
  const { count, source } = given;
  const { c, h, w } = size;
  const distances = showSeveral(output, names, request, { known: observed, samples: pixels });
  if (options.npz)
    keepSeveral(output, names, request, pixels, { observed: { data: observed, shape: [count, c, h, w] } });
  const before = rms(observed, given.pixels);
  const { difference, spread } = distances;
  output.tell(
    options.json,
    {
      images: source,
      ...{ count, n, seed: sampler.seed, operator: options.operator, observation: observation.name, nfe },
      residual: { ...residual, relative },
      difference: { observed: before, restored: difference },
      spread,
    },
    [
      `${severalOf(names, request)} from ${observation.name}; ` +
        `seed ${sampler.seed}, ${nfe} evaluations of the score`,
      `|A x - y|: ${residual.drawn.toExponential(1)} as drawn, ${relative.toExponential(1)} of |y|; ` +
        `${residual.shown.toExponential(1)} clamped to [0, 1] as shown`,
      `from the images: ${difference.toFixed(4)}, root mean square, what was observed ${before.toFixed(4)}` +
        amongThem(names, request, distances),
    ],
  );
}
