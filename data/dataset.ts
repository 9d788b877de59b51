import { UsageError } from "../engine/errors.ts";
import { hash, random } from "./random.ts";

/** Images of one size, read by index. Values lie in [0, 1]; an image is laid out channel, row, column. */
export interface ImageSet {
  name: string;
  count: number;
  channels: number;
  height: number;
  width: number;
  /** Writes image i, channels * height * width values in [0, 1], into out from offset on. 0 <= i < count. */
  image(i: number, out: Float32Array, offset: number): void;
  /** Class of image i, where the set knows classes. */
  label?(i: number): number;
  /** Tells a set that decodes as it goes which images will be read soon, in that order. Never waits. */
  expect?(indices: ArrayLike<number>): void;
}

/** Values of one image. */
export const imageSize = (set: ImageSet) => set.channels * set.height * set.width;

/** The images at indices, [N, C, H, W] in [0, 1]. Throws UsageError on an index outside the set. */
export function toBatch(set: ImageSet, indices: ArrayLike<number>): Float32Array {
  const size = imageSize(set);
  const out = new Float32Array(indices.length * size);
  for (let n = 0; n < indices.length; n++) {
    const i = indices[n]!;
    if (!Number.isInteger(i) || i < 0 || i >= set.count) {
      throw new UsageError(
        `toBatch: got index ${i}, expected 0 to ${set.count - 1} (${set.name} has ${set.count} images); ` +
          `take indices from order(seed, epoch, set.count)`,
      );
    }
  }
  set.expect?.(indices);
  for (let n = 0; n < indices.length; n++) set.image(indices[n]!, out, n * size);
  return out;
}

/** The images of set at indices, in that order, as a set of its own. */
export function subset(set: ImageSet, indices: ArrayLike<number>, name = set.name): ImageSet {
  const { channels, height, width, label, expect } = set;
  return {
    ...{ name, count: indices.length, channels, height, width },
    image: (i, out, offset) => set.image(indices[i]!, out, offset),
    ...(label && { label: (i: number) => label.call(set, indices[i]!) }),
    ...(expect && {
      expect: (soon: ArrayLike<number>) =>
        expect.call(
          set,
          Uint32Array.from(soon, (i) => indices[i]!),
        ),
    }),
  };
}

/** The first count images. Throws UsageError when the set has fewer. */
export function first(set: ImageSet, count: number): ImageSet {
  if (!Number.isInteger(count) || count < 1 || count > set.count) {
    throw new UsageError(
      `${set.name}: got count ${count}, expected a whole number from 1 to ${set.count}; ` +
        `leave count out to take every image`,
    );
  }
  return subset(
    set,
    Uint32Array.from({ length: count }, (_, i) => i),
  );
}

/**
 * Two disjoint sets, heldBack images of them kept from training. Which ones depends on the index alone, so a
 * run and its later evaluation agree, and a hash chooses them, so sets sorted by class split evenly. Throws
 * UsageError unless 1 <= heldBack < set.count.
 */
export function split(
  set: ImageSet,
  { heldBack }: { heldBack: number },
): { train: ImageSet; heldBack: ImageSet } {
  if (!Number.isInteger(heldBack) || heldBack < 1 || heldBack >= set.count) {
    throw new UsageError(
      `split: got heldBack ${heldBack}, expected a whole number of images from 1 to ${set.count - 1} ` +
        `(${set.name} has ${set.count}); a tenth of the set is usual`,
    );
  }
  const byHash = Array.from({ length: set.count }, (_, i) => i).sort((i, j) => hash(i) - hash(j));
  const kept = Uint32Array.from(byHash.slice(0, heldBack)).sort();
  const rest = Uint32Array.from(byHash.slice(heldBack)).sort();
  return {
    train: subset(set, rest, `${set.name} (train)`),
    heldBack: subset(set, kept, `${set.name} (held back)`),
  };
}

/**
 * The order of an epoch: 0 .. count - 1 shuffled. A function of its arguments, so a resumed run needs no
 * saved state.
 */
export function order(seed: number, epoch: number, count: number): Uint32Array {
  const { below } = random(seed, epoch);
  const indices = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = below(i + 1);
    [indices[i], indices[j]] = [indices[j]!, indices[i]!];
  }
  return indices;
}
