import { evenly } from "./strip.ts";
import type { GridOptions } from "./tile.ts";

/** Pixels of images in a frame of an animation, and in all of its frames: noise packs badly, at a byte or two each. */
const PIXELS = { frame: 2 ** 14, all: 48 * 2 ** 14 };
const MOST_IMAGES = 16;
/** Screen pixels for each of an image's, unless it is large by itself. */
const ENLARGED = { scale: 2, below: 64 };

interface Excerpt extends GridOptions {
  readonly frames: readonly Float32Array[];
  readonly beside?: readonly Float32Array[] | undefined;
}

/**
 * What of frames [n,c,h,w] makes an animation of at most about 3 MB: the first images, 16 of 32 x 32 pixels or smaller and
 * fewer of larger ones, and where one image alone is too large some of the frames, the first and the last among them.
 */
export function excerpt(
  frames: readonly Float32Array[],
  beside: readonly Float32Array[] | undefined,
  { c, h, w }: Pick<GridOptions, "c" | "h" | "w">,
): Excerpt {
  const each = c * h * w;
  const n = Math.max(1, Math.min(MOST_IMAGES, Math.floor(PIXELS.frame / (h * w)), frames[0]!.length / each));
  const moments = evenly(frames.length, Math.max(2, Math.floor(PIXELS.all / (n * h * w))));
  const some = (all: readonly Float32Array[]) => moments.map((i) => all[i]!.subarray(0, n * each));
  const scale = Math.max(h, w) < ENLARGED.below ? ENLARGED.scale : 1;
  return { frames: some(frames), beside: beside && some(beside), n, c, h, w, scale };
}
