import { UsageError } from "../../engine/errors.ts";
import { grid } from "./png.ts";
import type { GridOptions } from "./tile.ts";

interface StripOptions extends Pick<GridOptions, "c" | "h" | "w" | "scale"> {
  /** How many of a frame's images are shown. */
  images?: number;
  /** How many of the frames are, the first and the last among them. */
  moments?: number;
}

/**
 * A PNG file of some images on their way through frames [n,c,h,w] in [0, 1], from left to right: each as it is in `above`, and
 * under it as in `below`. Throws UsageError without frames or for another number below, and as tile does.
 */
export function strip(
  above: readonly Float32Array[],
  below: readonly Float32Array[],
  { images = 4, moments = 10, ...shape }: StripOptions,
): Uint8Array {
  if (above.length === 0 || above.length !== below.length)
    throw new UsageError(
      `strip: got ${above.length} frames above ${below.length}, expected as many of each, at least one`,
    );
  const size = shape.c * shape.h * shape.w;
  const shown = Math.min(images, Math.floor(above[0]!.length / size));
  const chosen = evenly(above.length, moments);
  const rows = Array.from({ length: shown }, (_, i) =>
    [above, below].map((frames) => [i, frames] as const),
  ).flat();
  const pixels = new Float32Array(rows.length * chosen.length * size);
  rows.forEach(([image, frames], row) => {
    chosen.forEach((frame, column) => {
      const from = frames[frame]!.subarray(image * size, (image + 1) * size);
      pixels.set(from, (row * chosen.length + column) * size);
    });
  });
  return grid(pixels, { ...shape, n: rows.length * chosen.length, columns: chosen.length });
}

/** `count` of the whole numbers below `length`, both ends among them; all where there are no more. */
export function evenly(length: number, count: number): number[] {
  const chosen = Array.from({ length: count }, (_, i) =>
    Math.round((i * (length - 1)) / Math.max(1, count - 1)),
  );
  return [...new Set(chosen)];
}
