import { existsSync, readFileSync, renameSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { augment } from "../data/augment.ts";
import { type ImageSet, imageSize, order, split } from "../data/dataset.ts";
import { type ImageSetSpec, openImageSet } from "../data/index.ts";
import type { Engine } from "../engine/engine.ts";
import { UsageError } from "../engine/errors.ts";
import { setCheckpointing } from "../models/blocks/index.ts";
import type { Classifier, Network, Output } from "../models/index.ts";
import { Batches } from "../train/batches.ts";
import { type Checkpoint, packCheckpoint, readCheckpoint } from "../train/checkpoint.ts";
import type { Objective } from "../train/objectives/index.ts";
import { Trainer } from "../train/trainer.ts";
import { classifierObjective, openClassifier, requireClasses } from "./classifier.ts";
import {
  type AnyConfig,
  type ClassifierConfig,
  type Config,
  isClassifier,
  parseAnyConfig,
  writeConfig,
} from "./config.ts";
import { openNetwork } from "./network.ts";
import { objectiveOf } from "./objective.ts";
import { writeFileAtomic } from "./pictures/write.ts";

/** A run's folder: config.yaml, checkpoint.safetensors, metrics.jsonl, loss.svg and pictures. */
export const files = {
  config: "config.yaml",
  checkpoint: "checkpoint.safetensors",
  previous: "checkpoint.previous.safetensors",
  metrics: "metrics.jsonl",
  accuracy: "accuracy.json",
  loss: "loss.svg",
  samples: "samples.png",
  data: "data.png",
  animation: "sampling.gif",
  numpy: "samples.npz",
  guided: "guided.png",
  guidedNumpy: "guided.npz",
} as const;

/** A training of whatever it trains. */
export interface Run<P extends Output = Output> {
  readonly config: AnyConfig;
  readonly folder: string;
  readonly train: ImageSet;
  readonly heldBack: ImageSet;
  readonly network: Network<P>;
  readonly trainer: Trainer<P>;
}

/** A training of a score network. */
export interface ScoreRun extends Run<"score" | "eps"> {
  readonly config: Config;
}

/** A training of a classifier. */
export interface ClassifierRun extends Run<"logits"> {
  readonly config: ClassifierConfig;
  readonly network: Classifier;
}

/** Opens the data and builds the network of a configuration. Throws UsageError before any GPU work where it can. */
export function openRun(
  engine: Engine,
  config: Config,
  folder: string,
  images = openImages(config),
): ScoreRun {
  const network = openNetwork(engine, config, images.train);
  return opened(engine, config, folder, images, network, (batches) => objectiveOf(engine, config, batches));
}

/** The same for a classifier. Throws UsageError for images without classes, or with more than it has. */
export function openClassifierRun(
  engine: Engine,
  config: ClassifierConfig,
  folder: string,
  images = openImages(config),
): ClassifierRun {
  const { train } = images;
  const network = openClassifier(engine, config, train);
  return opened(engine, config, folder, images, network, (batches) =>
    classifierObjective(engine, config, batches, train),
  );
}

function opened<P extends Output, C extends AnyConfig, N extends Network<P>>(
  engine: Engine,
  config: C,
  folder: string,
  { train, heldBack }: Images,
  network: N & Network<P>,
  objective: (batches: Batches) => Objective<P>,
) {
  const { training, data } = config;
  setCheckpointing(network, training.checkpointing ?? false);
  const { lr, beta1, eps, weightDecay, warmup, emaDecay, batchSize, seed, gradClip } = training;
  const batches = new Batches({ count: train.count, size: batchSize, seed, order });
  const trainer = new Trainer<P>(engine, {
    network,
    objective: () => objective(batches),
    optimizer: { lr, beta1, ...(eps !== undefined && { eps }), weightDecay, warmup, emaDecay },
    ...(gradClip !== undefined && { gradClip }),
    ...(training.precision && { precision: training.precision }),
    shape: [batchSize, train.channels, train.height, train.width],
    batches,
    fill: (indices, out, step) => {
      indices.forEach((i, k) => {
        train.image(i, out, k * imageSize(train));
      });
      augment(out, { count: batchSize, width: train.width }, data, [seed, step]);
    },
    seed,
  });
  return { config, folder, train, heldBack, network, trainer };
}

export interface Images {
  readonly train: ImageSet;
  readonly heldBack: ImageSet;
}

/** The training and the held-back images of a configuration. Throws UsageError for images without classes for a classifier. */
export function openImages(config: AnyConfig): Images {
  const { data } = config;
  const { heldBack, ...spec } = data;
  const set = open(spec as ImageSetSpec);
  if (heldBack >= set.count)
    throw new UsageError(
      `data: got heldBack ${heldBack} of ${set.count} images, expected fewer; lower data.heldBack`,
    );
  if (isClassifier(config)) requireClasses(set, config);
  return split(set, { heldBack });
}

function open(spec: ImageSetSpec): ImageSet {
  try {
    return openImageSet(spec);
  } catch (fault) {
    if (!(fault instanceof RangeError)) throw fault; // an array longer than there can be
    throw new UsageError(`data: ${spec.count ?? "the"} images do not fit in memory; set a lower data.count`);
  }
}

/** Writes the checkpoint, keeping the one before. Each file is whole or not there, whenever the process dies. */
export async function saveCheckpoint({ network, trainer, config, folder }: Run): Promise<void> {
  const bytes = await packCheckpoint(network, trainer, writeConfig(config));
  const path = join(folder, files.checkpoint);
  if (existsSync(path)) writeFileAtomic(join(folder, files.previous), readFileSync(path));
  writeFileAtomic(path, bytes);
}

/**
 * Makes the last checkpoint of fewer than `step` steps the run's checkpoint. Returns how many steps it has; undefined
 * when there is none, and then nothing is changed.
 */
export function rollBack(folder: string, step: number): number | undefined {
  const path = join(folder, files.checkpoint);
  for (const name of [files.checkpoint, files.previous]) {
    const candidate = join(folder, name);
    if (!existsSync(candidate)) continue;
    const { step: taken } = openCheckpoint(candidate);
    if (taken >= step) continue;
    if (candidate !== path) renameSync(candidate, path);
    return taken;
  }
  return undefined;
}

/** A checkpoint from a run's folder or a file. Throws UsageError when there is none or it is damaged. */
export function openCheckpoint(path: string): Checkpoint {
  const inside = join(path, files.checkpoint);
  const file = existsSync(inside) ? inside : path;
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
  try {
    return readCheckpoint(bytes, file);
  } catch (fault) {
    const previous = join(dirname(file), files.previous);
    if (fault instanceof UsageError && file === inside && existsSync(previous))
      fault.message += `, or go back to ${previous}`;
    throw fault;
  }
}

/**
 * Looks at a run's folder before any GPU work: the checkpoint to go on from, none when training begins. Throws
 * UsageError when there is a run and `resume` is not asked for, a run of another network or other data, or no folder.
 */
export function checkFolder(folder: string, config: AnyConfig, resume: boolean): Checkpoint | undefined {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === false)
    throw new UsageError(
      `train: got --out ${folder}, which is a file, expected a folder; give another --out`,
    );
  if (!existsSync(join(folder, files.checkpoint))) return undefined;
  if (!resume)
    throw new UsageError(`train: ${folder} holds a run already; pass --resume to go on, or another --out`);
  const checkpoint = openCheckpoint(folder);
  requireSameRun(checkpoint, config, folder);
  return checkpoint;
}

/** What a run cannot change on its way: the rest, such as the learning rate or the steps, it may. */
const fixed = ["data", "model", "classifier", "sigmas", "sde"] as const;

type Sections = { readonly [S in (typeof fixed)[number]]?: unknown };

function requireSameRun(checkpoint: Checkpoint, config: AnyConfig, folder: string): void {
  const before: Sections = parseAnyConfig(checkpoint.config, "the checkpoint's configuration");
  const after: Sections = config;
  for (const section of fixed) {
    const [was, now] = [before[section] ?? {}, after[section] ?? {}] as Record<string, unknown>[];
    for (const key of Object.keys({ ...was, ...now })) {
      const [old, given] = [was![key], now![key]].map((v) => JSON.stringify(v) ?? "nothing");
      if (old === given || key === "path") continue; // the data may have moved
      throw new UsageError(
        `train: got ${section}.${key} ${given}, but ${folder} was trained with ${old}; ` +
          `set it back, or begin another run with another --out`,
      );
    }
  }
}
