import { join } from "node:path";
import { train } from "../../cli/commands/train.ts";
import { type AnnealedConfig, readConfig } from "../../cli/config.ts";
import { packaged } from "../../cli/packaged.ts";
import { grid } from "../../cli/pictures/png.ts";
import { openImages, openRun } from "../../cli/run.ts";
import { drawSamples } from "../../cli/sampler.ts";
import { type ImageSet, imageSize, toBatch } from "../../data/dataset.ts";
import type { Engine } from "../../engine/engine.ts";
import { sampleQuality } from "../../train/metrics/index.ts";
import type { FigureResult } from "./figure.ts";

export interface ImagesOptions {
  /** Training steps of each network; as configs/demo.yaml unless told. */
  steps?: number;
  /** Each network's training ends after so many minutes, if not before. */
  minutes?: number;
  /** Where the runs are kept, each in a folder of its own. */
  folder: string;
  seed: number;
}

/** Both networks' samples take as many evaluations of the network. */
const EVALUATIONS = 250;

interface Contender {
  readonly name: string;
  readonly config: AnnealedConfig;
}

/** What holds images [n, dim] against held-back ones. A further distance is a further line here. */
const measures: Readonly<Record<string, (images: Images) => number>> = {
  "sliced Wasserstein": ({ samples, heldBack, dim }) =>
    sampleQuality({ samples, heldBack, dim }).slicedWasserstein.samples,
};

interface Images {
  readonly samples: Float32Array;
  readonly heldBack: Float32Array;
  readonly dim: number;
}

/**
 * The same network, data, optimizer and budget twice: on a ladder of ten noise scales with annealed Langevin dynamics, and
 * at the smallest of them alone with plain Langevin dynamics. Song & Ermon 2019, section 5, their baseline of naive score
 * matching. Measured beside them: other real images and noise.
 */
export async function images(engine: Engine, options: ImagesOptions): Promise<FigureResult> {
  const contenders = contendersOf(options);
  const data = openImages(contenders[0]!.config);
  const heldBack = all(data.heldBack);
  const dim = imageSize(data.heldBack);
  const pictures: Record<string, Uint8Array> = {};
  const measured: Record<string, unknown> = {};
  const rows: string[][] = [["samples", "training steps", "evaluations", ...Object.keys(measures)]];
  for (const { name, config } of contenders) {
    const { samples, steps, nfe } = await contend(engine, config, join(options.folder, name), data, options);
    const { channels: c, height: h, width: w } = data.train;
    pictures[`images-${name}.png`] = grid(samples, { n: config.sampling.count, c, h, w, scale: 2 });
    const distances = measure({ samples, heldBack, dim });
    measured[name] = { steps, nfe, sigmas: config.sigmas, sampling: config.sampling, distances };
    rows.push([name, String(steps), String(nfe), ...shown(distances)]);
  }
  const bounds = sampleQuality({ samples: heldBack, heldBack, dim }).slicedWasserstein;
  measured["slicedWassersteinBounds"] = { otherRealImages: bounds.data, noise: bounds.noise };
  return { pictures, measured, table: rows };
}

function contendersOf({ steps, seed }: ImagesOptions): Contender[] {
  const demo = readConfig(packaged("configs/demo.yaml")) as AnnealedConfig;
  const training = { ...demo.training, seed, ...(steps !== undefined && { steps }) };
  const { end, count } = demo.sigmas;
  const ladder = { ...demo, training, sampling: { ...demo.sampling, stepsPerLevel: EVALUATIONS / count } };
  const single: AnnealedConfig = {
    ...demo,
    training,
    sigmas: { begin: end, end, count: 1 },
    sampling: { ...demo.sampling, stepsPerLevel: EVALUATIONS, prior: "uniform" }, // as the paper's, for images in [0, 1]
  };
  return [
    { name: "ladder", config: ladder },
    { name: "one-scale", config: single },
  ];
}

/** Trains a contender, and draws from the average of its weights. */
async function contend(
  engine: Engine,
  config: AnnealedConfig,
  folder: string,
  data: ReturnType<typeof openImages>,
  { minutes }: ImagesOptions,
) {
  const { network, trainer } = await trained(engine, config, folder, data, minutes);
  const { channels: c, height: h, width: w } = data.train;
  try {
    for (const [name, average] of trainer.optimizer.ema?.shadow ?? [])
      engine.copy(average, network.parameters().get(name)!);
    const steps = trainer.step;
    trainer.dispose();
    const { samples, nfe } = await drawSamples(engine, network, config, {
      size: { c, h, w },
      animate: false,
    });
    return { samples, nfe, steps };
  } finally {
    network.dispose();
  }
}

async function trained(
  engine: Engine,
  config: AnnealedConfig,
  folder: string,
  data: ReturnType<typeof openImages>,
  minutes: number | undefined,
) {
  const run = openRun(engine, config, folder, data);
  await train(run, minutes === undefined ? {} : { minutes });
  return run;
}

function all(set: ImageSet): Float32Array {
  return toBatch(
    set,
    Array.from({ length: set.count }, (_, i) => i),
  );
}

const measure = (images: Images): Record<string, number> =>
  Object.fromEntries(Object.entries(measures).map(([name, of]) => [name, of(images)]));

const shown = (distances: Record<string, number>): string[] =>
  Object.values(distances).map((distance) => distance.toFixed(3));
