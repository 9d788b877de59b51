/// <reference path="./gifenc.d.ts" />
import * as namespace from "gifenc";
import { UsageError } from "../../engine/errors.ts";
import { beside, type GridOptions, type Picture, tile } from "./tile.ts";

// Plain Node puts the names of this CommonJS package under default; bundlers and Vitest put them beside it.
const gifenc =
  "GIFEncoder" in namespace ? (namespace as unknown as typeof namespace.default) : namespace.default;

interface AnimationOptions extends GridOptions {
  /** Milliseconds a frame; GIF counts in hundredths of a second. */
  delay?: number;
  /** Milliseconds of the last frame, the result. */
  hold?: number;
  /** As many frames of the same shape, shown to the right of the others. */
  beside?: readonly Float32Array[] | undefined;
}

const greys = Array.from({ length: 256 }, (_, shade) => [shade, shade, shade]);

/**
 * A GIF file, repeating for ever, of frames [n, c, h, w] in [0, 1], each a grid. Grey is exact; of RGB each
 * frame keeps its best 256 colours. Throws UsageError without frames and as tile does.
 */
export function animation(frames: readonly Float32Array[], options: AnimationOptions): Uint8Array {
  if (frames.length === 0) {
    throw new UsageError(
      "animation: got no frames, expected at least one; record one for every few sampling steps",
    );
  }
  const { delay = 80, hold = 2000, beside: others } = options;
  if (others && others.length !== frames.length)
    throw new UsageError(
      `animation: got ${others.length} frames beside ${frames.length}, expected one for each; leave none out`,
    );
  const encoder = gifenc.GIFEncoder();
  frames.forEach((frame, i) => {
    const main = tile("animation", frame, options);
    const picture = others ? beside(main, tile("animation", others[i]!, options)) : main;
    const { indices, palette } = picture.channels === 1 ? grey(picture, i) : coloured(picture);
    const time = i === frames.length - 1 ? hold : delay;
    encoder.writeFrame(indices, picture.width, picture.height, {
      ...(palette && { palette }),
      delay: time,
      repeat: 0,
    });
  });
  encoder.finish();
  return encoder.bytes();
}

/** A byte is its own place in the palette, which the first frame writes for all. */
const grey = ({ data }: Picture, frame: number) => ({
  indices: data,
  palette: frame === 0 ? greys : undefined,
});

function coloured({ data }: Picture) {
  const rgba = new Uint8Array((data.length / 3) * 4).fill(255);
  for (let pixel = 0; pixel < data.length / 3; pixel++) {
    rgba.set(data.subarray(3 * pixel, 3 * pixel + 3), 4 * pixel);
  }
  const palette = gifenc.quantize(rgba, 256);
  return { indices: gifenc.applyPalette(rgba, palette), palette };
}
