import { hasPngSignature } from "fast-png";
import { UsageError } from "../engine/errors.ts";
import { decodeJpeg, hasJpegSignature } from "./jpeg.ts";
import { decodePng, type Raster } from "./png.ts";

/** A PNG or JPEG file, known by its first bytes and not by its name, as values in [0, 1]. Throws UsageError on any other and a damaged one. */
export function decodeImage(bytes: Uint8Array, name: string): Raster {
  const kind = hasPngSignature(bytes) ? "PNG" : hasJpegSignature(bytes) ? "JPEG" : undefined;
  if (kind === undefined) {
    const head = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    throw new UsageError(
      `image folder: got ${name} of ${bytes.length} bytes beginning with ${head || "nothing"}, ` +
        `expected a PNG (89 50 4e 47) or JPEG (ff d8 ff) file; convert it or take it out of the folder`,
    );
  }
  try {
    return kind === "PNG" ? decodePng(bytes) : decodeJpeg(bytes);
  } catch (cause) {
    const reason = (cause as Error).message.replace(/[:.]?\s*$/, "");
    throw new UsageError(
      `image folder: got ${name} of ${bytes.length} bytes, expected a whole ${kind} file (${reason}); ` +
        `copy it again or take it out of the folder`,
      { cause },
    );
  }
}
