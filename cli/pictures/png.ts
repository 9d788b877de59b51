import { encode } from "fast-png";
import { type GridOptions, tile } from "./tile.ts";

/** A PNG file, 8 bits, grey or RGB, of images [n, c, h, w] in [0, 1] in a grid. Throws UsageError as tile does. */
export function grid(images: Float32Array, options: GridOptions): Uint8Array {
  return encode({ ...tile("grid", images, options), depth: 8 });
}
