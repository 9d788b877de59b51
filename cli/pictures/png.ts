import { encode } from "fast-png";
import { type GridOptions, tile } from "./tile.ts";

/** Bytes of a sheet before they are packed. */
const MOST = 2 ** 30;

/** The screen pixels for each image pixel, 3 at most, and how many of the images, by which a grid of them takes `most` bytes or so. */
export function sheetOf({ n, c, h, w }: GridOptions, most = MOST): { n: number; scale: number } {
  const scale = [3, 2].find((s) => n * c * h * w * s * s <= most) ?? 1;
  return { n: Math.max(1, Math.min(n, Math.floor(most / (c * h * w)))), scale };
}

/** A PNG file, 8 bits, grey or RGB, of images [n, c, h, w] in [0, 1] in a grid. Throws UsageError as tile does. */
export function grid(images: Float32Array, options: GridOptions): Uint8Array {
  return encode({ ...tile("grid", images, options), depth: 8 });
}
