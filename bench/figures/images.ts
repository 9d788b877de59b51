import { rmSync } from "node:fs";
import { join } from "node:path";
import { type AnnealedConfig, readConfig } from "../../cli/config.ts";
import { packaged } from "../../cli/packaged.ts";
import { grid } from "../../cli/pictures/png.ts";
import { openImages, openRun } from "../../cli/run.ts";
import { drawSamples } from "../../cli/sampler.ts";
import { train } from "../../cli/training-loop.ts";
import { type ImageSet, imageSize, toBatch } from "../../data/dataset.ts";
import type { Engine } from "../../engine/engine.ts";
import { type SampleQuality, sampleQuality } from "../../train/metrics/index.ts";
import type { FigureResult } from "./figure.ts";

export interface ImagesOptions {
  /** Training steps of each network. */
  steps: number;
  /** Each network's training ends after so many minutes, if not before. */
  minutes?: number;
  /** Where the runs are kept, each in a folder of its own. */
  folder: string;
  seed: number;
}

/** Steps of the dynamics that both networks' samples take. */
const MOVES = 250;

interface Contender {
  readonly name: string;
  readonly title: string;
  readonly config: AnnealedConfig;
}

type Distances = SampleQuality["slicedWasserstein"];

interface Images {
  /** [n, dim] and [m, dim] in [0, 1]. */
  readonly samples: Float32Array;
  readonly heldBack: Float32Array;
  readonly dim: number;
}

/** How far images are from held-back ones, beside noise and other real images. A further distance is a further line. */
const measures: Readonly<Record<string, (images: Images) => Distances | Promise<Distances>>> = {
  "sliced Wasserstein": (images) => sampleQuality(images).slicedWasserstein,
};

/**
 * The same network, data, optimizer and budget twice: on a ladder of ten noise scales with annealed Langevin dynamics, and
 * at the smallest of them alone with plain Langevin dynamics. Song & Ermon 2019, section 5, their baseline of naive score
 * matching.
 */
export async function images(engine: Engine, options: ImagesOptions): Promise<FigureResult> {
  const contenders = contendersOf(options);
  const data = openImages(contenders[0]!.config);
  const { channels: c, height: h, width: w } = data.train;
  const heldBack = all(data.heldBack);
  const pictures: Record<string, Uint8Array> = {};
  const measured: Record<string, unknown> = {};
  const rows: string[][] = [["images", "training steps", "evaluations", ...Object.keys(measures)]];
  let bounds: readonly Distances[] = [];
  for (const { name, title, config } of contenders) {
    const { samples, steps, nfe } = await contend(engine, config, join(options.folder, name), data, options);
    const given = { samples, heldBack, dim: imageSize(data.heldBack) };
    const distances = await Promise.all(Object.values(measures).map((of) => of(given)));
    bounds = distances;
    pictures[`images-${name}.png`] = grid(samples, { n: config.sampling.count, c, h, w, scale: 2 });
    const { sigmas, sampling, training } = config;
    const named = Object.fromEntries(Object.keys(measures).map((measure, i) => [measure, distances[i]]));
    measured[name] = { steps, nfe, batch: training.batchSize, sigmas, sampling, distances: named };
    rows.push([title, String(steps), String(nfe), ...distances.map((d) => d.samples.toFixed(3))]);
  }
  rows.push(["other real images", "", "", ...bounds.map((d) => d.data.toFixed(3))]);
  rows.push(["noise", "", "", ...bounds.map((d) => d.noise.toFixed(3))]);
  return { pictures, measured, table: rows };
}

function contendersOf({ steps, seed }: ImagesOptions): Contender[] {
  const demo = readConfig(packaged("configs/demo.yaml")) as AnnealedConfig;
  const base = { ...demo, training: { ...demo.training, seed, steps } };
  const { end, count } = demo.sigmas;
  const single: AnnealedConfig = {
    ...base,
    sigmas: { begin: end, end, count: 1 },
    sampling: { ...demo.sampling, stepsPerLevel: MOVES, prior: "uniform" }, // on [0, 1], as the paper's chains begin
  };
  const ladder = { ...base, sampling: { ...demo.sampling, stepsPerLevel: MOVES / count } };
  return [
    { name: "ladder", title: `${count} noise scales, annealed Langevin`, config: ladder },
    { name: "one-scale", title: `sigma = ${end} alone, plain Langevin`, config: single },
  ];
}

/** Trains a contender afresh, and draws from the average of its weights. */
async function contend(
  engine: Engine,
  config: AnnealedConfig,
  folder: string,
  data: ReturnType<typeof openImages>,
  { minutes = Infinity }: ImagesOptions,
) {
  rmSync(folder, { recursive: true, force: true });
  const run = openRun(engine, config, folder, data);
  const { network, trainer } = run;
  await train(run, { minutes });
  for (const [name, average] of trainer.optimizer.ema?.shadow ?? [])
    engine.copy(average, network.parameters().get(name)!);
  const steps = trainer.step;
  trainer.dispose();
  const { channels: c, height: h, width: w } = data.train;
  const { samples, nfe } = await drawSamples(engine, network, config, {
    size: { c, h, w },
    animate: false,
  });
  network.dispose();
  return { samples, nfe, steps };
}

const all = (set: ImageSet): Float32Array =>
  toBatch(
    set,
    Array.from({ length: set.count }, (_, i) => i),
  );
