import { rmSync } from "node:fs";
import { join } from "node:path";
import { type AnnealedConfig, readConfig } from "../../cli/config.ts";
import { compare, setsOf } from "../../cli/evaluation/compare.ts";
import type { Figure } from "../../cli/evaluation/figures.ts";
import type { SpaceSource } from "../../cli/evaluation/spaces.ts";
import { packaged } from "../../cli/packaged.ts";
import { grid } from "../../cli/pictures/png.ts";
import { openImages, openRun } from "../../cli/run.ts";
import { drawSamples } from "../../cli/sampler.ts";
import { train } from "../../cli/training-loop.ts";
import type { Engine } from "../../engine/engine.ts";
import type { FigureResult } from "./figure.ts";

interface ImagesOptions {
  /** Training steps of each network. */
  steps: number;
  /** Each network's training ends after so many minutes, if not before. */
  minutes?: number;
  /** Images that each network draws. */
  count: number;
  /** Where images are compared beside their pixels. */
  classifier?: SpaceSource | undefined;
  /** Where the runs are kept, each in a folder of its own. */
  folder: string;
  seed: number;
}

/** Images in a picture. */
const SHOWN = 64;

interface Contender {
  readonly name: string;
  readonly title: string;
  readonly config: AnnealedConfig;
}

/**
 * The same network, data, optimizer and budget twice: on a ladder of ten noise scales with annealed Langevin dynamics, and
 * at the smallest of them alone with plain Langevin dynamics. Song & Ermon 2019, section 5, their baseline of naive score
 * matching.
 */
export async function images(engine: Engine, options: ImagesOptions): Promise<FigureResult> {
  const contenders = contendersOf(options);
  const data = openImages(contenders[0]!.config);
  const { channels: c, height: h, width: w } = data.train;
  const shape = [c, h, w] as const;
  const spaces = options.classifier ? [options.classifier.open(engine)] : [];
  const pictures: Record<string, Uint8Array> = {};
  const measured: Record<string, unknown> = {};
  const rows: string[][] = [];
  let figures: readonly Figure[] = [];
  try {
    for (const { name, title, config } of contenders) {
      const { samples, steps, nfe } = await contend(
        engine,
        config,
        join(options.folder, name),
        data,
        options,
      );
      const sets = setsOf({ ...data, samples, shape, against: "held-back", seed: options.seed });
      const compared = await compare(shape, spaces, sets, { ...COMPARED, seed: options.seed });
      figures = compared.figures.filter(isShown);
      const shown = samples.subarray(0, SHOWN * c * h * w);
      pictures[`images-${name}.png`] = grid(shown, { n: shown.length / (c * h * w), c, h, w, scale: 2 });
      const { sigmas, sampling, training } = config;
      measured[name] = { steps, nfe, batch: training.batchSize, sigmas, sampling, figures };
      rows.push([title, String(steps), String(nfe), ...figures.map(({ value }) => short(value))]);
    }
  } finally {
    for (const space of spaces) space.dispose();
  }
  rows.unshift(["images", "training steps", "evaluations", ...figures.map(({ name }) => name)]);
  rows.push(["other real images", "", "", ...figures.map(({ real }) => short(real!))]);
  rows.push(["noise", "", "", ...figures.map(({ noise }) => short(noise!))]);
  const features = spaces.map(({ name, sha256 }) => ({ name, sha256 }));
  return { pictures, measured: { samples: options.count, features, ...measured }, table: rows };
}

const COMPARED = { pixels: false, neighbours: false };
/** Those that other real images and noise have as well: a distance to all images at once has nothing to be held against. */
const isShown = ({ name, real }: Figure): boolean => /^(Frechet|sliced)/.test(name) && real !== null;
const short = (value: number): string => value.toPrecision(3);

function contendersOf({ steps, seed, count }: ImagesOptions): Contender[] {
  const contender = (name: string, title: string): Contender => {
    const given = readConfig(packaged(`configs/digits/${name}.yaml`)) as AnnealedConfig;
    const config = {
      ...given,
      training: { ...given.training, seed, steps },
      sampling: { ...given.sampling, count },
    };
    return { name, title, config };
  };
  return [
    contender("ladder", "ten noise scales, annealed Langevin"),
    contender("one-scale", "sigma = 0.01 alone, plain Langevin"),
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
