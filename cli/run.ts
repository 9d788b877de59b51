import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Augmentation, augment } from "../data/augment.ts";
import { type ImageSet, imageSize, order, split } from "../data/dataset.ts";
import { type ImageSetSpec, openImageSet } from "../data/index.ts";
import { lookAhead } from "../data/look-ahead.ts";
import type { Engine } from "../engine/engine.ts";
import { UsageError } from "../engine/errors.ts";
import { setCheckpointing } from "../models/blocks/index.ts";
import type { Classifier, Network, Output, ScoreNet } from "../models/index.ts";
import { Batches } from "../train/batches.ts";
import { type Checkpoint, packCheckpoint, readCheckpoint } from "../train/checkpoint.ts";
import { Evaluation } from "../train/evaluation.ts";
import type { Objective } from "../train/objectives/index.ts";
import { Trainer, type TrainerOptions } from "../train/trainer.ts";
import { OLDER, olderCheckpoints, writeCheckpoint } from "./checkpoint-folder.ts";
import { classifierObjective, openClassifier, requireClasses } from "./classifier.ts";
import {
  type AnyConfig,
  type ClassifierConfig,
  type Config,
  isClassifier,
  parseAnyConfig,
  writeConfig,
} from "./config.ts";
import { isFolder } from "./is-folder.ts";
import { openNetwork } from "./network.ts";
import { objectiveOf } from "./objective.ts";
import { files, SAMPLES } from "./run-folder.ts";
import { readWhole } from "./whole-file.ts";

export { files };

/** A training of whatever it trains. */
export interface Run<P extends Output = Output> {
  readonly config: AnyConfig;
  readonly folder: string;
  readonly train: ImageSet;
  readonly heldBack: ImageSet;
  readonly network: Network<P>;
  readonly trainer: Trainer<P>;
  /** On the held-back images; none where the configuration wants none. */
  readonly evaluation: Evaluation<P> | undefined;
}

/** A training of a score network. */
export interface ScoreRun extends Run<"score" | "eps"> {
  readonly config: Config;
  readonly network: ScoreNet<"score" | "eps">;
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
  const network = openClassifier(engine, config, images.train);
  return opened(engine, config, folder, images, network, (batches, set) =>
    classifierObjective(engine, config, batches, set),
  );
}

function opened<P extends Output, C extends AnyConfig, N extends Network<P>>(
  engine: Engine,
  config: C,
  folder: string,
  { train, heldBack }: Images,
  network: N & Network<P>,
  objective: (batches: Batches, images: ImageSet) => Objective<P>,
) {
  const { training, data } = config;
  setCheckpointing(network, training.checkpointing ?? false);
  const { lr, beta1, eps, weightDecay, warmup, emaDecay, emaWarmup, batchSize, accumulate, seed, gradClip } =
    training;
  const batches = new Batches({ count: train.count, size: batchSize, parts: accumulate, seed, order });
  const trainer = new Trainer<P>(engine, {
    network,
    objective: () => objective(batches, train),
    optimizer: {
      ...{ lr, beta1, weightDecay, warmup, emaDecay },
      ...(eps !== undefined && { eps }),
      ...(emaWarmup !== undefined && { emaWarmup }),
    },
    ...(gradClip !== undefined && { gradClip }),
    ...(training.precision && { precision: training.precision }),
    shape: [batchSize, train.channels, train.height, train.width],
    batches,
    fill: filler(train, batches, data, seed),
    seed,
  });
  const evaluation =
    training.evaluateEvery > 0 ? openEvaluation(engine, config, network, heldBack, objective) : undefined;
  return { config, folder, train, heldBack, network, trainer, evaluation };
}

/** Writes images of a set into a batch, changed as the configuration says; what decodes as it goes is told what comes next. */
function filler(
  images: ImageSet,
  batches: Batches,
  change: Augmentation,
  seed: number,
): TrainerOptions["fill"] {
  const size = imageSize(images);
  const decodeAhead = lookAhead(images, (step) => batches.images(step));
  return (indices, out, step) => {
    decodeAhead(step);
    for (const [k, i] of indices.entries()) images.image(i, out, k * size);
    augment(out, { count: indices.length, width: images.width }, change, [seed, step]);
  };
}

/** Of all draws of an evaluation, whatever the run's seed: runs are measured by one measure. */
const EVALUATION_SEED = 2 ** 52;

/** Measures on as many held-back images as fill batches of what the network sees at once. */
function openEvaluation<P extends Output>(
  engine: Engine,
  config: AnyConfig,
  network: Network<P>,
  images: ImageSet,
  objective: (batches: Batches, images: ImageSet) => Objective<P>,
): Evaluation<P> {
  const { batchSize, accumulate, precision } = config.training;
  const size = Math.min(batchSize / accumulate, images.count);
  const seed = EVALUATION_SEED;
  const inOrder = () => Uint32Array.from({ length: images.count }, (_, i) => i);
  const batches = new Batches({ count: images.count, size, seed, order: inOrder });
  return new Evaluation<P>(engine, {
    network,
    objective: () => objective(batches, images),
    shape: [size, images.channels, images.height, images.width],
    batches,
    count: Math.floor(images.count / size),
    fill: filler(images, batches, { ...config.data, flip: false }, seed),
    seed,
    ...(precision && { precision }),
  });
}

export interface Images {
  readonly train: ImageSet;
  readonly heldBack: ImageSet;
}

/** The training and the held-back images of a configuration. Throws UsageError for images without classes for a classifier. */
export function openImages(config: AnyConfig): Images {
  const { data } = config;
  const { heldBack, ...spec } = data;
  const set = openSet(spec as ImageSetSpec, "set a lower data.count");
  if (heldBack >= set.count)
    throw new UsageError(
      set.count === 1
        ? "data: got one image, expected at least two, one of them to be held back; add images"
        : `data: got heldBack ${heldBack} of ${set.count} images, expected fewer; lower data.heldBack`,
    );
  if (isClassifier(config)) requireClasses(set, config);
  return split(set, { heldBack });
}

/** As `openImageSet`. Throws UsageError, too, for more images than an array holds; `mend` ends its message. */
export function openSet(spec: ImageSetSpec, mend: string): ImageSet {
  try {
    return openImageSet(spec);
  } catch (fault) {
    if (!(fault instanceof RangeError)) throw fault; // an array longer than there can be
    throw new UsageError(`data: ${spec.count ?? "the"} images do not fit in memory; ${mend}`);
  }
}

/** Writes the checkpoint, keeping as many of those before as configured. */
export async function saveCheckpoint({ network, trainer, config, folder }: Run): Promise<void> {
  const bytes = await packCheckpoint(network, trainer, writeConfig(config));
  writeCheckpoint(folder, bytes, trainer.step, config.training);
}

/** A checkpoint from a run's folder or a file. Throws UsageError when there is none or it is damaged. */
export function openCheckpoint(path: string): Checkpoint {
  const inside = join(path, files.checkpoint);
  const file = existsSync(inside) ? inside : path;
  let bytes: Uint8Array;
  try {
    bytes = readWhole(file);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new UsageError(
      code === "EISDIR"
        ? `checkpoint: ${path} holds no ${files.checkpoint}; give a run's folder or a checkpoint file`
        : `checkpoint: cannot read ${path} (${code}); give a run's folder or a checkpoint file`,
    );
  }
  try {
    if (bytes.length === 0) throw new UsageError(`checkpoint: ${file} is empty; copy it again`);
    return readCheckpoint(bytes, file);
  } catch (fault) {
    const [previous] = file === inside ? olderCheckpoints(dirname(file)) : [];
    if (fault instanceof UsageError && previous) fault.message += `, or put ${previous.path} in its place`;
    throw fault;
  }
}

/** What training writes into a run's folder besides checkpoints. */
const written = ["config", "metrics", "loss", "rate", "report", "numbers", "accuracy"] as const;

/**
 * Looks at a run's folder before any GPU work: the checkpoint to go on from, none when training begins. Throws
 * UsageError when there is a run and `resume` is not asked for, for a run without its newest checkpoint, of another network, other
 * data or another seed, and for a file in the place of its folders or a folder in that of its files.
 */
export function checkFolder(folder: string, config: AnyConfig, resume: boolean): Checkpoint | undefined {
  for (const inside of written.map((name) => join(folder, files[name])))
    if (isFolder(inside))
      throw new UsageError(
        `train: got ${inside}, which is a folder, expected a file of the run's; move it away, or give another --out`,
      );
  for (const inside of [OLDER, SAMPLES].map((name) => join(folder, name)))
    if (existsSync(inside) && !isFolder(inside))
      throw new UsageError(
        `train: got ${inside}, which is a file, expected a folder of the run's; move it away, or give another --out`,
      );
  if (!existsSync(join(folder, files.checkpoint))) {
    const [last] = olderCheckpoints(folder);
    if (!last) return undefined;
    throw new UsageError(
      `train: ${folder} holds checkpoints of a run but no ${files.checkpoint}, expected both or neither; ` +
        `move ${last.path} in its place to go on after ${last.step} steps, or give another --out`,
    );
  }
  if (!resume)
    throw new UsageError(`train: ${folder} holds a run already; pass --resume to go on, or another --out`);
  const checkpoint = openCheckpoint(folder);
  requireSameRun(checkpoint, config, folder);
  return checkpoint;
}

/** Throws UsageError where a run would go on with more or fewer images: held-back ones would be trained on. */
export function requireSameImages(
  { imageCount }: Checkpoint,
  { train }: Images,
  { data }: AnyConfig,
  folder: string,
): void {
  if (imageCount === undefined || imageCount === train.count) return;
  throw new UsageError(
    `train: got ${train.count} images of ${data.path ?? data.name} to train on, but ${folder} was trained on ${imageCount}; ` +
      "bring them back to what they were, or begin another run with another --out",
  );
}

const every = () => true;

/**
 * Which keys of which sections a run cannot change on its way: all of its network and its noise, but the data may have moved,
 * and be held as suits another machine. Of its training the seed alone.
 */
const isFixed: Readonly<Record<string, (key: string) => boolean>> = {
  data: (key) => !["path", "stream", "memory"].includes(key),
  ...{ model: every, classifier: every, sigmas: every, sde: every },
  training: (key) => key === "seed",
};

type Sections = Readonly<Record<string, unknown>>;

function requireSameRun(checkpoint: Checkpoint, config: AnyConfig, folder: string): void {
  const before = parseAnyConfig(checkpoint.config, "the checkpoint's configuration") as unknown as Sections;
  const after = config as unknown as Sections;
  for (const [section, fixed] of Object.entries(isFixed)) {
    const [was, now] = [before[section] ?? {}, after[section] ?? {}] as Record<string, unknown>[];
    for (const key of Object.keys({ ...was, ...now })) {
      const [old, given] = [was![key], now![key]].map((v) => JSON.stringify(v) ?? "nothing");
      if (old === given || !fixed(key)) continue;
      throw new UsageError(
        `train: got ${section}.${key} ${given}, but ${folder} was trained with ${old}; ` +
          `set it back, or begin another run with another --out`,
      );
    }
  }
}
