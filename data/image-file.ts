import { extname } from "node:path";
import { UsageError } from "../engine/errors.ts";
import { decodeImage } from "./decode-image.ts";
import { listFiles, readBytes } from "./files.ts";
import type { Raster } from "./png.ts";

const ENDINGS = [".png", ".jpg", ".jpeg"];

/** Paths of the image files in a folder and the folders below, relative to it and sorted. Throws UsageError on none. */
export function findImages(folder: string): string[] {
  const files = listFiles(folder, "image folder");
  const images = files.filter((path) => ENDINGS.includes(extname(path).toLowerCase()));
  if (images.length > 0) return images;
  if (files.length === 0) {
    throw new UsageError(
      `image folder: got no files in ${folder}, expected PNG or JPEG files; check the path`,
    );
  }
  throw new UsageError(
    `image folder: got ${files.length} files in ${folder}, the first ${files[0]}, none of them PNG or JPEG, ` +
      `expected PNG or JPEG files; convert the images`,
  );
}

/** A PNG or JPEG file. Throws UsageError as decodeImage does. */
export const readImage = (path: string): Raster => decodeImage(readBytes(path, "image folder"), path);
