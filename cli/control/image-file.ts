import { convertChannels } from "../../data/channels.ts";
import type { ImageSet } from "../../data/dataset.ts";
import { readBytes } from "../../data/files.ts";
import { decodeJpeg, hasJpegSignature } from "../../data/jpeg.ts";
import { decodePng, type Raster } from "../../data/png.ts";
import { squareResizer } from "../../data/resize.ts";
import { UsageError } from "../../engine/errors.ts";

/** The pixels of a PNG file. Throws UsageError when there is none; `who` begins its message. */
export const readPng = (who: string, path: string): Raster => read(who, path, "PNG", decodePng);

/** A PNG or JPEG file as a set of one image, cropped to its centred square and resized by area. Throws as `readPng`. */
export function imageFile(path: string, { size, channels }: { size: number; channels: number }): ImageSet {
  const decode = (bytes: Uint8Array) => (hasJpegSignature(bytes) ? decodeJpeg(bytes) : decodePng(bytes));
  const { channels: own, height, width, values } = read("images", path, "PNG or JPEG", decode);
  const square = squareResizer(height, width, size)(values, own);
  const pixels = convertChannels(square, own, channels);
  return {
    ...{ name: path, count: 1, channels, height: size, width: size },
    image: (_, out, offset) => out.set(pixels, offset),
  };
}

function read(who: string, path: string, kind: string, decode: (bytes: Uint8Array) => Raster): Raster {
  const bytes = readBytes(path, who);
  try {
    return decode(bytes);
  } catch (cause) {
    const reason = (cause as Error).message.replace(/[.:]?\s*$/, "");
    throw new UsageError(
      `${who}: got ${path} of ${bytes.length} bytes, expected a whole ${kind} file (${reason}); convert it to PNG`,
      { cause },
    );
  }
}
