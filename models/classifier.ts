import { grad } from "../engine/autograd.ts";
import { UsageError } from "../engine/errors.ts";
import { div, logSoftmax, oneHot, perSample, sub } from "../engine/ops/index.ts";
import { showShape } from "../engine/shapes.ts";
import type { Tensor } from "../engine/tensor.ts";
import type { Network } from "./prediction.ts";

/** Tells classes apart under noise: x [n,...] and the noise condition of each sample [n] -> logits [n,classes]. */
export type NoisyClassifier = (x: Tensor, condition: Tensor) => Tensor;

/** A network that tells classes apart: it is told sigma [n], the standard deviation of the noise in images of [0, 1]. */
export interface Classifier extends Network<"logits"> {
  readonly classes: number;
  /** What the last layer sees, by which images can be compared: x [n,c,h,w], sigma [n] -> [n,features]. */
  features(x: Tensor, sigma: Tensor): Tensor;
}

/** Noisy images gain x_0 + offset + std z of images x_0 as a classifier knows them, by each sample's numbers [n]. */
export interface Noising {
  readonly gain: Tensor;
  /** 0 unless given. */
  readonly offset?: Tensor;
  readonly std: Tensor;
}

/**
 * A classifier of x_0 + sigma z as one of images that another process has made noisy, told what that process tells its
 * networks: p(y | x) depends on x by (x - offset) / gain alone, in which the noise has sigma = std / gain.
 */
export const throughNoise =
  (classifier: NoisyClassifier, noisingAt: (condition: Tensor) => Noising): NoisyClassifier =>
  (x, condition) => {
    const { gain, offset, std } = noisingAt(condition);
    const centred = offset ? sub(x, perSample(offset, x)) : x;
    return classifier(div(centred, perSample(gain, x)), div(std, gain));
  };

/**
 * grad_x log p(y | x) at each sample's noise, which turns the score of all images into that of the images of a class:
 * x [n,...], labels y [n] (i32) -> x's shape. Song et al. 2021, equation 14 and appendix I.1. Works inside
 * `engine.noGrad`, too; a label that is no class gives NaN for its sample. Throws UsageError for labels of another
 * shape or dtype.
 */
export function logProbGrad(
  classifier: NoisyClassifier,
  x: Tensor,
  condition: Tensor,
  labels: Tensor,
): Tensor {
  const { engine } = x;
  if (labels.rank !== 1 || labels.dim(0) !== x.dim(0) || labels.dtype !== "i32")
    throw new UsageError(
      `logProbGrad: got labels ${labels.dtype} ${showShape(labels.shape)} for x ${showShape(x.shape)}, expected i32 [${x.dim(0)}]`,
    );
  const differentiate = () => {
    const leaf = engine.track(engine.asVariable(x.detach()));
    const logProbs = logSoftmax(classifier(leaf, condition)); // [n,classes]
    return grad(logProbs, [leaf], { cotangent: oneHot(labels, logProbs.dim(1)) });
  };
  const [gradient] = engine.scope(() => engine.withGrad(differentiate));
  return gradient!;
}
