import type { Engine } from "../../engine/engine.ts";
import { requireSigmas } from "../../engine/noise-scales.ts";
import { add, cast, div, mul, scale } from "../../engine/ops/index.ts";
import type { DrawSource } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { requireEps } from "../../samplers/require.ts";
import type { Sde } from "../../samplers/sde/index.ts";
import type { Batches } from "../batches.ts";
import { noisyCrossEntropy } from "../losses/cross-entropy.ts";
import { lookUp } from "../losses/denoising.ts";
import { uniform } from "../losses/draws.ts";
import type { Objective } from "./objective.ts";

export interface ClassificationOptions {
  /** At which noise: times of an SDE, uniform on [eps, T], or the scales of a ladder, descending, one as often as another. */
  noise: Sde | readonly number[];
  /** Tells which images a step sees. */
  batches: Batches;
  /** Class of image i, a whole number from 0, below the network's classes. */
  classOf: (i: number) => number;
  /** Smallest time of an SDE; 1e-5 unless told. */
  eps?: number;
}

/**
 * Telling the classes of noisy images apart, x_0 + sigma z with sigma = std / alpha of the SDE: as much of x_t = alpha
 * x_0 + std z as classes depend on, so that a classifier trained on one process knows the images of another. Song et
 * al. 2021, appendix I.1. Throws UsageError for a ladder out of range.
 */
export function classification(
  engine: Engine,
  { noise, batches, classOf, eps = 1e-5 }: ClassificationOptions,
): Objective<"logits"> {
  const sigmaOf = Array.isArray(noise) ? onLadder(noise as readonly number[]) : inTime(noise as Sde, eps);
  const classes = engine.untrack(engine.zeros([batches.partSize], "i32"));
  return {
    feed(step, part) {
      const { partSize } = batches;
      const images = batches.images(step).subarray(part * partSize, (part + 1) * partSize);
      classes.write(Int32Array.from(images, classOf));
    },
    loss: (network, x, source) =>
      noisyCrossEntropy(network, x, classes, {
        sigma: sigmaOf(x, source),
        draw: { ...source, purpose: "perturb" },
      }),
    dispose: () => classes.dispose(),
  };
}

/** sigma of each of the samples x [n,...] -> [n]. */
type SigmaDraw = (x: Tensor, source: DrawSource) => Tensor;

function inTime(sde: Sde, eps: number): SigmaDraw {
  requireEps("classification", eps, sde.T);
  return (x, source) => {
    const { alpha, std } = sde.marginal(add(mul(uniform(x, source), sde.T - eps), eps));
    return div(std, alpha);
  };
}

function onLadder(sigmas: readonly number[]): SigmaDraw {
  requireSigmas("classification", sigmas);
  return (x, source) => lookUp(sigmas, cast(scale(uniform(x, source), sigmas.length), "i32"));
}
