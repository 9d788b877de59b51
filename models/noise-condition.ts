import { UsageError } from "../engine/errors.ts";
import { requireSigmas } from "../engine/noise-scales.ts";
import { cast, div, embedding, reshape } from "../engine/ops/index.ts";
import { showShape } from "../engine/shapes.ts";
import type { Tensor } from "../engine/tensor.ts";
import type { Init } from "./init.ts";

// What networks are told of the noise: sigma itself, or a label, whole or not.

/** The noise scales as a buffer [count]. Throws UsageError unless they are positive and descend. */
export function sigmaTable(who: string, init: Init, sigmas: readonly number[]): Tensor {
  requireSigmas(who, sigmas);
  return init.engine.untrack(init.engine.tensor(Float32Array.from(sigmas)));
}

/** sigma at labels [n], fractions dropped. -> [n]; NaN for a label outside the table. */
export const sigmaAt = (sigmas: Tensor, labels: Tensor): Tensor =>
  reshape(embedding(reshape(sigmas, [-1, 1]), cast(labels, "i32")), [-1]);

/** h [n,c,h,w] over sigma [n]. */
export const dividedBySigma = (h: Tensor, sigma: Tensor): Tensor => div(h, reshape(sigma, [-1, 1, 1, 1]));

/** Throws UsageError unless x is [n,channels,h,w] with sides that are multiples of `shrink`, and each image has a label. */
export function requireLabelled(
  who: string,
  x: Tensor,
  labels: Tensor,
  { channels, shrink }: { channels: number; shrink: number },
): void {
  if (x.rank !== 4 || x.dim(1) !== channels || x.dim(2) % shrink !== 0 || x.dim(3) % shrink !== 0)
    throw new UsageError(
      `${who}: got x ${showShape(x.shape)}, expected [n,${channels},h,w] with sides that are multiples of ${shrink}`,
    );
  if (labels.rank !== 1 || labels.dim(0) !== x.dim(0) || labels.dtype !== "i32")
    throw new UsageError(
      `${who}: got labels ${labels.dtype} ${showShape(labels.shape)} for x ${showShape(x.shape)}, expected i32 [${x.dim(0)}]`,
    );
}

/** Throws UsageError unless x is [n,channels,imageSize,imageSize] and the condition holds a number for each image. */
export function requireImages(
  who: string,
  x: Tensor,
  condition: Tensor,
  { channels, imageSize }: { channels: number; imageSize: number },
): void {
  if (x.rank !== 4 || x.dim(1) !== channels || x.dim(2) !== imageSize || x.dim(3) !== imageSize)
    throw new UsageError(
      `${who}: got x ${showShape(x.shape)}, expected [n,${channels},${imageSize},${imageSize}]`,
    );
  if (condition.rank !== 1 || condition.dim(0) !== x.dim(0) || condition.dtype === "u32")
    throw new UsageError(
      `${who}: got noise condition ${condition.dtype} ${showShape(condition.shape)} for x ${showShape(x.shape)}, ` +
        `expected f32 or i32 [${x.dim(0)}]`,
    );
}
