import { UsageError } from "../engine/errors.ts";
import { convertChannels } from "./channels.ts";
import { requireShape } from "./conform.ts";
import type { Raster } from "./png.ts";
import { type FilterName, filterNames, type Resizer, squareResizer } from "./resize.ts";

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
 * Makes images bytes [channels, size, size]: cropped to a centred square, resized, its channels converted, rounded.
 * Throws UsageError, naming the file, on an image smaller than the crop.
 */
export function preparer({
  size,
  channels,
  crop,
  resize = "area",
}: Preparation): (image: Raster, name: string) => Uint8Array<ArrayBuffer> {
  let last: { height: number; width: number; resizer: Resizer } | undefined; // images of a folder are often of one size
  return ({ height, width, values, channels: given }, name) => {
    if (crop !== undefined && crop > Math.min(height, width)) {
      throw new UsageError(
        `image folder: got ${name} of ${width}x${height}, expected at least ${crop}x${crop}, the crop; ` +
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

/** What is not said: 3 x 32 x 32. Throws UsageError for numbers out of range and for an unknown filter. */
export function preparationOf({ size = 32, channels = 3, crop, resize }: Partial<Preparation>): Preparation {
  requireShape("image folder", size, channels);
  if (crop !== undefined && (!Number.isInteger(crop) || crop < 1)) {
    throw new UsageError(
      `image folder: got crop ${crop}, expected a whole number of pixels; 140 is usual for CelebA`,
    );
  }
  if (resize !== undefined && !filterNames.includes(resize)) {
    throw new UsageError(`image folder: got resize "${resize}", expected ${filterNames.join(", ")}`);
  }
  return { size, channels, crop, resize };
}
