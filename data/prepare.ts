import { UsageError } from "../engine/errors.ts";
import { convertChannels } from "./channels.ts";
import { readImage } from "./image-file.ts";
import { type FilterName, type Resizer, squareResizer } from "./resize.ts";

/** What an image file becomes. */
export interface Preparation {
  /** Side of the square images, in pixels. */
  size: number;
  /** 1 for grey, 3 for RGB. */
  channels: number;
  /** Side of the centred square that is taken, in pixels of the file; undefined: the shorter side. */
  crop?: number | undefined;
  /** How it is resized; "area" unless given. */
  resize?: FilterName | undefined;
}

/**
 * Reads image files as bytes [channels, size, size]: cropped to a centred square, resized, its channels converted,
 * rounded. Throws UsageError on a file that is damaged, or smaller than the crop.
 */
export function preparer({
  size,
  channels,
  crop,
  resize = "area",
}: Preparation): (path: string) => Uint8Array<ArrayBuffer> {
  let last: { height: number; width: number; resizer: Resizer } | undefined; // images of a folder are often of one size
  return (path) => {
    const { height, width, values, channels: given } = readImage(path);
    if (crop !== undefined && crop > Math.min(height, width)) {
      throw new UsageError(
        `image folder: got ${path} of ${width}x${height}, expected at least ${crop}x${crop}, the crop; ` +
          `lower data.crop or take the file out of the folder`,
      );
    }
    if (last?.height !== height || last.width !== width)
      last = { height, width, resizer: squareResizer(height, width, size, { crop, filter: resize }) };
    const converted = convertChannels(last.resizer(values, given), given, channels);
    const bytes = Uint8ClampedArray.from(converted, (value) => 255 * value); // clamps and rounds
    return new Uint8Array(bytes.buffer);
  };
}
