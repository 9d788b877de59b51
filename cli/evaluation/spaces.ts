import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type ImageSet, imageSize } from "../../data/dataset.ts";
import type { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import { softmax } from "../../engine/ops/index.ts";
import { readSafetensors, type Safetensors } from "../../engine/safetensors.ts";
import { showShape } from "../../engine/shapes.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { InceptionV3, loadInception } from "../../models/index.ts";
import { called } from "../called.ts";
import { openClassifier, sigmaRange } from "../classifier.ts";
import { parseClassifierConfig } from "../config.ts";
import { Progress } from "../progress.ts";
import { openCheckpoint } from "../run.ts";
import { weightsOf } from "../weights.ts";
import { hashOfBytes, hashOfValues } from "./hash.ts";
import { type Images, pixelsOf, type Shape } from "./image-list.ts";

/** What images are in a space of features. */
export interface Features {
  readonly count: number;
  /** [count, dim] */
  readonly vectors: Float32Array;
  /** Of the classes, [count, classes], where the network knows some. */
  readonly probabilities?: { readonly values: Float32Array; readonly classes: number };
}

/** Where images are compared. */
export interface Space {
  readonly name: string;
  /** Of the network's weights; none for pixels. */
  readonly sha256?: string;
  readonly dim: number;
  /** Of these images, with progress. */
  features(images: Images, what: string): Promise<Features>;
  dispose(): void;
}

/** A space whose file is read and checked, before there is a device. */
export interface SpaceSource {
  readonly name: string;
  open(engine: Engine): Space;
}

export const pixelSpace = ([c, h, w]: Shape): Space => ({
  ...{ name: "pixels", dim: c * h * w },
  features: async (images) => ({ count: images.count, vectors: pixelsOf(images) }),
  dispose() {},
});

/** Images through Inception at once. */
const INCEPTION_BATCH = 32;
const CLASSIFIER_BATCH = 250;

/** The network of FID out of a safetensors file. Throws UsageError for a file that is none. */
export function inceptionSource(path: string): SpaceSource {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new UsageError(
      `evaluate: cannot read --inception ${path} (${(cause as NodeJS.ErrnoException).code}); docs/evaluation.md tells how to make it`,
    );
  }
  const tensors = inceptionTensors(bytes, path);
  const sha256 = hashOfBytes(bytes);
  return {
    name: "inception",
    open(engine) {
      const network = new InceptionV3(engine);
      loadInception(network, tensors, path);
      return inceptionSpace(engine, network, sha256);
    },
  };
}

/** By which the network of FID is known. */
const known = { "Conv2d_1a_3x3.conv.weight": [32, 3, 3, 3], "fc.weight": [1008, 2048] };

/** What a file holds. Throws UsageError for one that is no safetensors file and, by a first look, for another network's. */
function inceptionTensors(bytes: Uint8Array, path: string): Safetensors["tensors"] {
  let file: Safetensors;
  try {
    file = readSafetensors(bytes);
  } catch (cause) {
    throw new UsageError(`evaluate: --inception ${path} cannot be read: ${(cause as Error).message}`, {
      cause,
    });
  }
  for (const [name, shape] of Object.entries(known)) {
    const own = file.tensors.get(name)?.shape;
    if (own?.join() !== shape.join())
      throw new UsageError(
        `evaluate: got --inception ${path} with ${own ? `${name} ${showShape(own)}` : `no ${name}`}, expected the network ` +
          `of FID, where it is ${showShape(shape)}; docs/evaluation.md tells how to make the file`,
      );
  }
  return file.tensors;
}

/** Pooled features of a network that has its weights, and the probabilities by which the Inception score is told. */
export function inceptionSpace(
  engine: Engine,
  network: InceptionV3,
  sha256: string,
  batch = INCEPTION_BATCH,
): Space {
  const evaluate = (x: Tensor) => {
    const features = network.run(x);
    return [features, softmax(network.scoreLogits(features))] as const;
  };
  return {
    ...{ name: "inception", sha256, dim: network.featureCount },
    features: (images, what) => inBatches(engine, images, evaluate, batch, what),
    dispose: () => network.dispose(),
  };
}

/** A classifier's run for images like these. Throws UsageError for another kind of run and other images. */
export function classifierSource(path: string, image: Shape): SpaceSource {
  const checkpoint = openCheckpoint(path);
  const config = parseClassifierConfig(checkpoint.config, path);
  if (checkpoint.image.join() !== image.join())
    throw new UsageError(
      `evaluate: got a classifier of ${checkpoint.image.join("x")} images for a run of ${image.join("x")} images, ` +
        "expected one shape; train it with the same data.size and data.channels",
    );
  const values = weightsOf(checkpoint, path);
  const [channels, height] = image;
  const { least } = sigmaRange(config);
  return {
    name: "classifier",
    open(engine) {
      const network = openClassifier(engine, config, { channels, height });
      network.load(values);
      const evaluate = (x: Tensor) => {
        const sigma = engine.full([x.dim(0)], least); // no noise: the least that it knows
        return [network.features(x, sigma), softmax(network.run(x, sigma))] as const;
      };
      const probe = engine.scope(() =>
        engine.noGrad(() => network.features(engine.zeros([1, ...image]), engine.full([1], least))),
      );
      const dim = probe.size;
      probe.dispose();
      return {
        ...{ name: "classifier", sha256: hashOfValues(values), dim },
        features: (images, what) => inBatches(engine, images, evaluate, CLASSIFIER_BATCH, what),
        dispose: () => network.dispose(),
      };
    },
  };
}

/** Where a classifier of a set's images is looked for: where `stein train configs/classifier/SET.yaml` writes it. */
const usualClassifier = (set: string): string => join("runs", "classifier", set);

/** The classifier in its usual place. Throws UsageError telling how to train it where there is none. */
export function usualClassifierSource(set: string, image: Shape): SpaceSource {
  const path = usualClassifier(set);
  if (existsSync(path)) return classifierSource(path, image);
  const train =
    set === "digits"
      ? `train it, in minutes: ${called()} train configs/classifier/digits.yaml`
      : `train one on ${set} as configs/classifier/digits.yaml does and give it as --classifier`;
  throw new UsageError(
    `evaluate: got no features to compare images in, and ${path} holds no classifier; ${train}; ` +
      "or give --inception FILE for FID, or --pixels",
  );
}

type Evaluate = (x: Tensor) => readonly [features: Tensor, probabilities: Tensor];

async function inBatches(
  engine: Engine,
  images: Images,
  evaluate: Evaluate,
  batch: number,
  what: string,
): Promise<Features> {
  const { count, channels, height, width } = images;
  const progress = new Progress(`features of ${what}`, count);
  const size = imageSize(images as ImageSet);
  let [vectors, values] = [new Float32Array(0), new Float32Array(0)];
  let classes = 0;
  for (let first = 0; first < count; first += batch) {
    progress.update(first);
    const n = Math.min(batch, count - first);
    const pixels = pixelsOf(images, first, n);
    const [features, probabilities] = engine.scope(() =>
      engine.noGrad(() => {
        const [f, p] = evaluate(engine.tensor(pixels, [pixels.length / size, channels, height, width]));
        return [f, p];
      }),
    );
    const [own, sure] = (await engine.readAll([features!, probabilities!])) as Float32Array[];
    classes = probabilities!.dim(1);
    for (const t of [features!, probabilities!]) t.dispose();
    if (first === 0) {
      vectors = new Float32Array((count * own!.length) / n);
      values = new Float32Array(count * classes);
    }
    vectors.set(own!, (first * own!.length) / n);
    values.set(sure!, first * classes);
  }
  progress.update(count);
  return { count, vectors, probabilities: { values, classes } };
}
