import { extname } from "node:path";
import { hasPngSignature } from "fast-png";
import { UsageError } from "../engine/errors.ts";
import { listFiles, readBytes } from "./files.ts";
import { decodeJpeg, hasJpegSignature } from "./jpeg.ts";
import { decodePng, type Raster } from "./png.ts";

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

/** A PNG or JPEG file, known by its first bytes and not by its name. Throws UsageError on any other and a damaged one. */
export function readImage(path: string): Raster {
  const bytes = readBytes(path, "image folder");
  const kind = hasPngSignature(bytes) ? "PNG" : hasJpegSignature(bytes) ? "JPEG" : undefined;
  if (kind === undefined) {
    const head = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    throw new UsageError(
      `image folder: got ${path} of ${bytes.length} bytes beginning with ${head || "nothing"}, ` +
        `expected a PNG (89 50 4e 47) or JPEG (ff d8 ff) file; convert it or take it out of the folder`,
    );
  }
  try {
    return kind === "PNG" ? decodePng(bytes) : decodeJpeg(bytes);
  } catch (cause) {
    const reason = (cause as Error).message.replace(/[:.]?\s*$/, "");
    throw new UsageError(
      `image folder: got ${path} of ${bytes.length} bytes, expected a whole ${kind} file (${reason}); ` +
        `copy it again or take it out of the folder`,
      { cause },
    );
  }
}
