import { extname, join } from "node:path";
import { hasPngSignature } from "fast-png";
import { UsageError } from "../engine/errors.ts";
import { byteImages } from "./bytes.ts";
import { convertChannels } from "./channels.ts";
import { requireShape } from "./conform.ts";
import type { ImageSet } from "./dataset.ts";
import { listFiles, readBytes } from "./files.ts";
import { decodePng, type Raster } from "./png.ts";
import { squareResizer } from "./resize.ts";

export interface FolderOptions {
  /** Side of the square images, in pixels. */
  size?: number;
  /** 1 for grey, 3 for RGB. */
  channels?: number;
  /** Take only the first count files. */
  count?: number;
}

/**
 * The PNG files in a folder and the folders below, sorted by path: cropped to their centred square, resized
 * by area, and kept as bytes. All are read at once, so that a bad file shows before training begins and not
 * during it. Throws UsageError naming the file, what was found and the mend.
 */
export function imageFolder(
  folder: string,
  { size = 32, channels = 3, count }: FolderOptions = {},
): ImageSet {
  requireShape("image folder", size, channels);
  const paths = findImages(folder).slice(0, count);
  const pixels = channels * size * size;
  const bytes = new Uint8ClampedArray(paths.length * pixels); // stores rounded
  paths.forEach((path, i) => {
    const image = readPng(join(folder, path));
    const values = squareResizer(image.height, image.width, size)(image.values, image.channels);
    bytes.set(
      convertChannels(values, image.channels, channels).map((value) => 255 * value),
      i * pixels,
    );
  });

  const plain = new Uint8Array(bytes.buffer);
  const shape = { name: folder, count: paths.length, channels, height: size, width: size };
  return byteImages(shape, (i) => ({ bytes: plain, start: i * pixels }));
}

function findImages(folder: string): string[] {
  const files = listFiles(folder, "image folder");
  const images = files.filter((path) => extname(path).toLowerCase() === ".png");
  if (images.length > 0) return images;
  if (files.length === 0) {
    throw new UsageError(`image folder: got no files in ${folder}, expected PNG files; check the path`);
  }
  throw new UsageError(
    `image folder: got ${files.length} files in ${folder}, the first ${files[0]}, none of them PNG, ` +
      `expected PNG files; convert the images to PNG`,
  );
}

function readPng(path: string): Raster {
  const bytes = readBytes(path, "image folder");
  if (!hasPngSignature(bytes)) {
    const head = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    throw new UsageError(
      `image folder: got ${path} of ${bytes.length} bytes beginning with ${head || "nothing"}, ` +
        `expected a PNG file (89 50 4e 47); convert it to PNG or take it out of the folder`,
    );
  }
  try {
    return decodePng(bytes);
  } catch (cause) {
    const reason = (cause as Error).message.replace(/:$/, "");
    throw new UsageError(
      `image folder: got ${path} of ${bytes.length} bytes, expected a whole PNG file (${reason}); ` +
        `copy it again or take it out of the folder`,
      { cause },
    );
  }
}
