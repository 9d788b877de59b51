import { random } from "../../data/random.ts";
import { UsageError } from "../../engine/errors.ts";
import { readPng } from "./image-file.ts";
import type { Pixels } from "./pixels.ts";

/** Which pixels are hidden, by row and column of an image of a size. */
type Hidden = (y: number, x: number, size: { h: number; w: number }) => boolean;

/** Masks by name. Halves and the middle leave out the odd row or column. */
const shapes: Readonly<Record<string, Hidden>> = {
  left: (_, x, { w }) => x < Math.floor(w / 2),
  right: (_, x, { w }) => x >= Math.ceil(w / 2),
  top: (y, _, { h }) => y < Math.floor(h / 2),
  bottom: (y, _, { h }) => y >= Math.ceil(h / 2),
  center: (y, x, { h, w }) => inMiddle(y, h) && inMiddle(x, w),
  checker: (y, x) => (x + y) % 2 === 1,
};

const inMiddle = (at: number, length: number): boolean =>
  at >= Math.floor(length / 4) && at < length - Math.floor(length / 4);

/** What `--mask` takes. */
export const maskNames = [...Object.keys(shapes), "random:P", "or a PNG file, white where pixels are known"];

/**
 * A mask by its name or its file: 1 where pixels are known and 0 where they are hidden, [1,1,h,w]. "random:P" hides each
 * pixel with probability P, by the seed. A file is white where pixels are known and has the images' size. Throws
 * UsageError for an unknown name, a P out of range, a file of another size, and where nothing would be hidden or known.
 */
export function maskOf(text: string, { h, w }: { h: number; w: number }, seed: number): Pixels {
  const hidden = text.startsWith("random:")
    ? atRandom(text, w, seed)
    : (named(text) ?? inFile(text, { h, w }));
  const mask = Float32Array.from({ length: h * w }, (_, i) =>
    hidden(Math.floor(i / w), i % w, { h, w }) ? 0 : 1,
  );
  const known = mask.reduce((sum, m) => sum + m, 0);
  if (known === 0 || known === mask.length)
    throw new UsageError(
      `mask: got ${text}, which hides ${known === 0 ? "every" : "no"} pixel of ${h}x${w}, expected some hidden and some known`,
    );
  return mask;
}

const named = (text: string): Hidden | undefined => (Object.hasOwn(shapes, text) ? shapes[text] : undefined);

/** A word of its own, which keeps the stream apart from others of the seed. */
const MASK = 0x3a5c;

function atRandom(text: string, w: number, seed: number): Hidden {
  const share = Number(text.slice("random:".length));
  if (!(share > 0 && share < 1))
    throw new UsageError(
      `mask: got ${text}, expected a share of pixels to hide between 0 and 1, such as random:0.5`,
    );
  return (y, x) => random(seed, y * w + x, MASK).uniform() < share;
}

function inFile(path: string, { h, w }: { h: number; w: number }): Hidden {
  if (!path.toLowerCase().endsWith(".png"))
    throw new UsageError(`mask: got ${path}, expected ${maskNames.join(", ")}`);
  const { channels, height, width, values } = readPng("mask", path);
  if (height !== h || width !== w)
    throw new UsageError(
      `mask: got ${path} of ${width}x${height} pixels, expected ${w}x${h}, the size of the images`,
    );
  const planes = Array.from({ length: channels }, (_, c) => values.subarray(c * h * w, (c + 1) * h * w));
  return (y, x) => planes.some((plane) => plane[y * w + x]! < 0.5); // red is not white either
}
