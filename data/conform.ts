import { UsageError } from "../engine/errors.ts";
import { convertChannels } from "./channels.ts";
import { type ImageSet, imageSize } from "./dataset.ts";
import { squareResizer } from "./resize.ts";

/**
 * The set at another size or number of channels, converted as images are read. A smaller size is resized by
 * area; a larger one gets a black border, as is usual for MNIST's 28 in a network of 32. Throws UsageError on
 * sizes below 1 and on channels other than 1 and 3.
 */
export function conform(
  set: ImageSet,
  { size = set.width, channels = set.channels }: { size?: number; channels?: number },
): ImageSet {
  requireShape(set.name, size, channels);
  if (size === set.width && size === set.height && channels === set.channels) return set;

  const smaller = Math.min(size, set.height, set.width);
  const resize = squareResizer(set.height, set.width, smaller);
  const border = Math.floor((size - smaller) / 2);
  const source = new Float32Array(imageSize(set));
  return {
    ...set,
    ...{ channels, height: size, width: size },
    image(i, out, offset) {
      set.image(i, source, 0);
      const values = convertChannels(resize(source, set.channels), set.channels, channels);
      out.fill(0, offset, offset + channels * size * size);
      for (let line = 0; line < channels * smaller; line++) {
        const row = Math.floor(line / smaller) * size + border + (line % smaller);
        out.set(values.subarray(line * smaller, (line + 1) * smaller), offset + row * size + border);
      }
    },
  };
}

/** Throws UsageError unless size is a whole number of pixels and channels is 1 or 3; who begins it. */
export function requireShape(who: string, size: number, channels: number): void {
  if (!Number.isInteger(size) || size < 1) {
    throw new UsageError(
      `${who}: got size ${size}, expected a whole number of pixels; 28, 32 and 64 are usual`,
    );
  }
  if (channels !== 1 && channels !== 3) {
    throw new UsageError(
      `${who}: got channels ${channels}, expected 1 (grey) or 3 (RGB); leave it out for the set's own`,
    );
  }
}
