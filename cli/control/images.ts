import type { Command } from "commander";
import { type ImageSet, toBatch } from "../../data/dataset.ts";
import { openImageSet } from "../../data/index.ts";
import { UsageError } from "../../engine/errors.ts";
import { isFolder } from "../is-folder.ts";
import { type Span, spanOf } from "../options.ts";
import { openImages } from "../run.ts";
import { imageFile } from "./image-file.ts";
import type { Pixels } from "./pixels.ts";
import type { Trained } from "./trained.ts";

export interface ImageOptions {
  data?: Span;
  images?: string;
}

/** The span as it is given by other options than `--data`, for messages. */
interface AskedImages extends ImageOptions {
  asked?: string;
}

export interface GivenImages {
  /** [count,c,h,w] in [0, 1]. */
  readonly pixels: Pixels;
  readonly count: number;
  /** Index of the first in its set: random numbers go by it, so that a part of a set gives what the whole would. */
  readonly first: number;
  /** Which ones, in words. */
  readonly source: string;
}

/** Adds the options that choose images. */
export const withImages = (command: Command, count = COUNT): Command =>
  command
    .option(
      "--data <a:b>",
      `images a to b - 1 of the run's held-back ones, or of --images; the first ${count} unless given`,
      spanOf("--data", "0:16"),
    )
    .option("--images <path>", "a PNG or JPEG file, or a folder of them, in place of the run's own");

/** Unless told. */
const COUNT = 8;

/**
 * The images that were asked for, at the network's size. Throws UsageError where there are none, fewer, or none that can
 * be read.
 */
export function openGiven(
  who: string,
  trained: Trained,
  { data, images, asked }: AskedImages,
  count = COUNT,
): GivenImages {
  const set = images === undefined ? heldBack(trained) : ownImages(images, trained);
  const [first, end] = data ?? [0, Math.min(count, set.count)];
  if (end > set.count)
    throw new UsageError(
      `${who}: got ${asked ?? `--data ${first}:${end}`} of the ${set.count} images of ${set.name}, expected at most ${set.count}`,
    );
  const indices = Array.from({ length: end - first }, (_, i) => first + i);
  return {
    pixels: toBatch(set, indices) as Pixels,
    count: indices.length,
    first,
    source: `${set.name}, ${first} to ${end - 1}`,
  };
}

function heldBack({ config }: Trained): ImageSet {
  try {
    return openImages(config).heldBack;
  } catch (fault) {
    if (fault instanceof UsageError) fault.message += ", or give --images of your own";
    throw fault;
  }
}

function ownImages(path: string, { size: { c, h } }: Trained): ImageSet {
  const shape = { size: h, channels: c };
  return isFolder(path) ? openImageSet({ name: "folder", path, ...shape }) : imageFile(path, shape);
}
