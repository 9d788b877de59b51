import type { ImageSet } from "./dataset.ts";

/**
 * A set over images already in memory as bytes, 255 becoming 1. start(i) is where image i begins in its
 * array, laid out channel, row, column.
 */
export function byteImages(
  shape: Pick<ImageSet, "name" | "count" | "channels" | "height" | "width">,
  bytesOf: (i: number) => { bytes: Uint8Array; start: number },
): ImageSet {
  const size = shape.channels * shape.height * shape.width;
  return {
    ...shape,
    image(i, out, offset) {
      const { bytes, start } = bytesOf(i);
      for (let p = 0; p < size; p++) out[offset + p] = bytes[start + p]! / 255;
    },
  };
}
