import { appendFileSync, existsSync, mkdirSync, readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { type ImageSet, imageSize, order, split } from "../data/dataset.ts";
import { type ImageSetSpec, openImageSet } from "../data/index.ts";
import type { Engine } from "../engine/engine.ts";
import { UsageError } from "../engine/errors.ts";
import { buildScoreNet, type ScoreNet } from "../models/index.ts";
import { Batches } from "../train/batches.ts";
import { type Checkpoint, packCheckpoint, readCheckpoint, restore } from "../train/checkpoint.ts";
import { geometricSigmas } from "../train/sigmas.ts";
import { Trainer } from "../train/trainer.ts";
import { type Config, writeConfig } from "./config.ts";
import { linePlot } from "./pictures/plot.ts";
import { writeFileAtomic } from "./pictures/write.ts";

/** A run's folder: config.yaml, checkpoint.safetensors, metrics.jsonl, loss.svg and pictures. */
export const files = {
  config: "config.yaml",
  checkpoint: "checkpoint.safetensors",
  previous: "checkpoint.previous.safetensors",
  metrics: "metrics.jsonl",
  loss: "loss.svg",
  samples: "samples.png",
  data: "data.png",
  animation: "sampling.gif",
} as const;

export interface Run {
  readonly config: Config;
  readonly folder: string;
  readonly train: ImageSet;
  readonly heldBack: ImageSet;
  readonly sigmas: readonly number[];
  readonly network: ScoreNet;
  readonly trainer: Trainer;
}

/** Opens the data and builds the network of a configuration. Throws UsageError before any GPU work where it can. */
export function openRun(engine: Engine, config: Config, folder: string, images = openImages(config)): Run {
  const { train, heldBack } = images;
  const { training } = config;
  const sigmas = geometricSigmas(config.sigmas);
  const network = openNetwork(engine, config, train);
  const { lr, beta1, weightDecay, warmup, emaDecay, batchSize, seed, gradClip, annealPower } = training;
  const trainer = new Trainer(engine, {
    network,
    score: (x, labels) => network.run(x, labels),
    sigmas,
    optimizer: { lr, beta1, weightDecay, warmup, emaDecay },
    ...(gradClip !== undefined && { gradClip }),
    annealPower,
    shape: [batchSize, train.channels, train.height, train.width],
    batches: new Batches({ count: train.count, size: batchSize, seed, order }),
    fill: (indices, out) => {
      indices.forEach((i, k) => {
        train.image(i, out, k * imageSize(train));
      });
    },
    seed,
  });
  return { config, folder, train, heldBack, sigmas, network, trainer };
}

/** The training and the held-back images of a configuration. */
export function openImages({ data }: Config): { train: ImageSet; heldBack: ImageSet } {
  const { heldBack, ...spec } = data;
  const set = openImageSet(spec as ImageSetSpec);
  if (heldBack >= set.count)
    throw new UsageError(
      `data: got heldBack ${heldBack} of ${set.count} images, expected fewer; lower data.heldBack`,
    );
  return split(set, { heldBack });
}

/** The network of a configuration for images like these. */
export function openNetwork(
  engine: Engine,
  config: Config,
  { channels, height }: { channels: number; height: number },
): ScoreNet {
  return buildScoreNet(engine, {
    ...config.model,
    imageChannels: channels,
    imageSize: height,
    sigmas: geometricSigmas(config.sigmas),
    seed: config.training.seed,
  });
}

/** Writes the checkpoint, keeping the one before. Each file is whole or not there, whenever the process dies. */
export async function saveCheckpoint({ network, trainer, config, folder }: Run): Promise<void> {
  const bytes = await packCheckpoint(network, trainer, writeConfig(config));
  const path = join(folder, files.checkpoint);
  if (existsSync(path)) writeFileAtomic(join(folder, files.previous), readFileSync(path));
  writeFileAtomic(path, bytes);
}

/** A checkpoint from a run's folder or a file. Throws UsageError when there is none. */
export function openCheckpoint(path: string): Checkpoint {
  const file = existsSync(join(path, files.checkpoint)) ? join(path, files.checkpoint) : path;
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new UsageError(
      code === "EISDIR"
        ? `checkpoint: ${path} holds no ${files.checkpoint}; give a run's folder or a checkpoint file`
        : `checkpoint: cannot read ${path} (${code}); give a run's folder or a checkpoint file`,
    );
  }
  return readCheckpoint(bytes, file);
}

/** Goes on from the folder's checkpoint; the metrics of steps after it are cut off. */
export function resume(run: Run): void {
  const checkpoint = openCheckpoint(run.folder);
  restore(checkpoint, run.network, run.trainer);
  const path = join(run.folder, files.metrics);
  if (!existsSync(path)) return;
  let keep = 0;
  for (const line of readFileSync(path, "utf8").split("\n")) {
    if (line === "" || stepOf(line) >= checkpoint.step) break;
    keep += Buffer.byteLength(line) + 1;
  }
  truncateSync(path, keep);
}

function stepOf(line: string): number {
  try {
    return (JSON.parse(line) as { step: number }).step;
  } catch {
    return Number.POSITIVE_INFINITY; // a line cut short when the process died
  }
}

export interface Metrics {
  readonly step: number;
  readonly loss: number;
  readonly gradNorm: number;
  readonly seconds: number;
}

/** metrics.jsonl, a line a step, and the plot of the loss. */
export class MetricsLog {
  readonly #folder: string;
  readonly #all: Metrics[] = [];

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    const path = join(folder, files.metrics);
    if (existsSync(path))
      for (const line of readFileSync(path, "utf8").split("\n"))
        if (line) this.#all.push(JSON.parse(line) as Metrics);
  }

  add(metrics: readonly Metrics[]): void {
    if (metrics.length === 0) return;
    this.#all.push(...metrics);
    appendFileSync(
      join(this.#folder, files.metrics),
      `${metrics.map((m) => JSON.stringify(m)).join("\n")}\n`,
    );
  }

  /** Mean loss of the last `count` steps. */
  recent(count: number): number {
    const last = this.#all.slice(-count);
    return last.reduce((sum, m) => sum + m.loss, 0) / last.length;
  }

  plot(): void {
    const width = Math.max(1, Math.floor(this.#all.length / 100));
    const smooth = this.#all.map((_, i) => mean(this.#all.slice(Math.max(0, i - width + 1), i + 1)));
    const x = this.#all.map((m) => m.step);
    const series = [
      { name: "each step", x, y: this.#all.map((m) => m.loss) },
      { name: `mean of ${width}`, x, y: smooth },
    ];
    const plot = linePlot({
      title: "Denoising score matching",
      xLabel: "step",
      yLabel: "loss",
      series,
      logY: true,
    });
    writeFileAtomic(join(this.#folder, files.loss), plot);
  }
}

const mean = (rows: readonly Metrics[]): number => rows.reduce((sum, m) => sum + m.loss, 0) / rows.length;
