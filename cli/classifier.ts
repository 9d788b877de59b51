import type { ImageSet } from "../data/dataset.ts";
import type { Engine } from "../engine/engine.ts";
import { UsageError } from "../engine/errors.ts";
import { buildClassifier, type Classifier } from "../models/index.ts";
import type { Batches } from "../train/batches.ts";
import { type NoisyAccuracy, noisyAccuracy } from "../train/metrics/index.ts";
import { classification, type Objective } from "../train/objectives/index.ts";
import { geometricSigmas } from "../train/sigmas.ts";
import type { ClassifierConfig } from "./config.ts";
import type { ImageShape } from "./network.ts";
import { sdeOf } from "./score.ts";

/** The classifier of a configuration for images like these. Throws UsageError for images that it cannot take. */
export function openClassifier(
  engine: Engine,
  { classifier, training }: ClassifierConfig,
  { channels, height }: ImageShape,
): Classifier {
  return buildClassifier(engine, {
    ...classifier,
    imageChannels: channels,
    imageSize: height,
    seed: training.seed,
  });
}

/** What training a configuration's classifier minimises. */
export const classifierObjective = (
  engine: Engine,
  config: ClassifierConfig,
  batches: Batches,
  images: ImageSet,
): Objective<"logits"> =>
  classification(engine, {
    noise: config.sde ? sdeOf(config) : geometricSigmas(config.sigmas),
    batches,
    classOf: classOf(images),
  });

/**
 * Looks at the classes of the images before any GPU work. Throws UsageError for a set without, and for a class that the
 * classifier does not have.
 */
export function requireClasses(images: ImageSet, { data, classifier }: ClassifierConfig): void {
  const of = classOf(images);
  let most = 0;
  for (let i = 0; i < images.count; i++) most = Math.max(most, of(i));
  if (most >= classifier.classes)
    throw new UsageError(
      `classifier.classes: got ${classifier.classes}, but an image of ${data.name} is of class ${most}, ` +
        `expected at least ${most + 1}`,
    );
}

function classOf(images: ImageSet): (i: number) => number {
  const { label } = images;
  if (!label)
    throw new UsageError(
      `data: got images of ${images.name} without classes, expected labels beside them; for mnist, put its file of labels there`,
    );
  return (i) => label.call(images, i);
}

/** The noise that a configuration's classifier was trained on, in images of [0, 1]. */
export function sigmaRange(config: ClassifierConfig): { least: number; most: number } {
  if (!config.sde) return { least: config.sigmas.end, most: config.sigmas.begin };
  const sde = sdeOf(config);
  const sigmaAt = (t: number) => {
    const { alpha, std } = sde.marginalAt(t);
    return std / alpha;
  };
  return { least: sigmaAt(1e-5), most: sigmaAt(sde.T) };
}

/** Images measured at each noise scale, at most. */
const MEASURED = 1000;

/** How well a classifier knows the images, without noise and at noise scales of its range. */
export function measureClassifier(
  engine: Engine,
  classifier: Classifier,
  config: ClassifierConfig,
  images: ImageSet,
  onProgress: (done: number, total: number) => void,
): Promise<NoisyAccuracy[]> {
  const { least, most } = sigmaRange(config);
  const { channels, height, width } = images;
  const size = channels * height * width;
  return noisyAccuracy(engine, (x, sigma) => classifier.run(x, sigma), {
    count: Math.min(images.count, MEASURED),
    shape: [channels, height, width],
    fill: (first, n, out) => {
      for (let k = 0; k < n; k++) images.image(first + k, out, k * size);
    },
    classOf: classOf(images),
    sigmas: [0, ...shownSigmas.filter((sigma) => sigma >= least && sigma <= most)],
    told: least,
    seed: config.training.seed,
    onProgress,
  });
}

/** From a tenth of what tells black from white to where every image fades. */
const shownSigmas = [0.1, 0.3, 1, 2, 3, 5, 10, 20, 50];
