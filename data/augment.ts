import { random } from "./random.ts";

export interface Augmentation {
  /** Turn each image over, left to right, with probability 1/2. */
  flip?: boolean | undefined;
  /** Spread each of the 256 values over its own width: x 255/256 + u/256, u uniform on [0, 1). */
  uniformDequantization?: boolean | undefined;
  /** Last of all from [0, 1] to [-1, 1], for networks that see images so. */
  centered?: boolean | undefined;
}

/**
 * Changes a batch [n,...,width] of images in [0, 1] in place, as the official training loops do. A function of (seed,
 * step), so that a resumed run goes on as it would have.
 */
export function augment(
  batch: Float32Array,
  { count, width }: { count: number; width: number },
  { flip = false, uniformDequantization = false, centered = false }: Augmentation,
  [seed, step]: readonly [seed: number, step: number],
): void {
  const { uniform } = random(seed, step, AUGMENT);
  const size = batch.length / count;
  if (flip)
    for (let n = 0; n < count; n++)
      if (uniform() < 0.5)
        for (let line = n * size; line < (n + 1) * size; line += width)
          batch.subarray(line, line + width).reverse();
  if (uniformDequantization)
    for (let i = 0; i < batch.length; i++) batch[i] = (batch[i]! * 255 + uniform()) / 256;
  if (centered) for (let i = 0; i < batch.length; i++) batch[i] = 2 * batch[i]! - 1;
}

/** A third word: a stream apart from those of (seed, epoch) and (seed, image). */
const AUGMENT = 0xa6;
