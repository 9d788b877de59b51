import { decode } from "jpeg-js";
import type { Raster } from "./png.ts";

const APPLICATION_14 = 0xee; // Adobe's, which says how colours are coded
const END_OF_IMAGE = 0xd9;
const START_OF_SCAN = 0xda;
const LARGEST = 100; // megapixels: a header may claim any size

/** Do the bytes begin as a JPEG file does? */
export const hasJpegSignature = (bytes: Uint8Array): boolean =>
  bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;

/**
 * A JPEG file, baseline or progressive, grey or colour, as RGB in [0, 1]. Chroma of half the size is interpolated as
 * libjpeg does ("fancy upsampling"), so that PIL and tf.io.decode_jpeg give the same to a few bytes in 255; the
 * orientation that a camera noted is not applied, as they leave it too. Throws Error on a file that is cut short or
 * damaged.
 */
export function decodeJpeg(bytes: Uint8Array): Raster {
  // The decoder would fill up with grey what is missing.
  if (lastMarker(bytes, END_OF_IMAGE) < lastMarker(bytes, START_OF_SCAN))
    throw new Error("it ends too early");
  const halved = halvedChroma(bytes);
  const { width, height, data } = decode(bytes, {
    useTArray: true,
    formatAsRGBA: false,
    tolerantDecoding: false,
    maxResolutionInMP: LARGEST,
    ...(halved && { colorTransform: false }),
  });
  const pixels = width * height;
  const values = new Float32Array(3 * pixels);
  for (let p = 0; p < pixels; p++)
    for (let c = 0; c < 3; c++) values[c * pixels + p] = data[3 * p + c]! / 255;
  if (halved) {
    for (const plane of [1, 2].map((c) => values.subarray(c * pixels, (c + 1) * pixels))) {
      if (halved.across) interpolate(plane, height, width, { step: 1, every: width });
      if (halved.down) interpolate(plane, width, height, { step: width, every: 1 });
    }
    toRgb(values, pixels);
  }
  return { channels: 3, height, width, values };
}

/**
 * Lines in which every value stands twice become a triangle's interpolation of what stood there: a pixel is 3/4 of its
 * own sample and 1/4 of the next nearest, at the ends its own alone.
 */
function interpolate(
  plane: Float32Array,
  lines: number,
  length: number,
  { step, every }: { step: number; every: number },
): void {
  const samples = new Float32Array(Math.ceil(length / 2));
  const last = samples.length - 1;
  for (let line = 0; line < lines; line++) {
    const start = line * every;
    for (let j = 0; j <= last; j++) samples[j] = plane[start + 2 * j * step]!;
    for (let x = 0; x < length; x++) {
      const own = x >> 1;
      const other = Math.min(last, Math.max(0, x & 1 ? own + 1 : own - 1));
      plane[start + x * step] = 0.75 * samples[own]! + 0.25 * samples[other]!;
    }
  }
}

/** Luma and chroma [3, pixels] in [0, 1] to RGB, in place. JFIF 1.02. */
function toRgb(values: Float32Array, pixels: number): void {
  const clamped = (v: number) => Math.min(1, Math.max(0, v));
  for (let p = 0; p < pixels; p++) {
    const y = values[p]!;
    const [blue, red] = [values[pixels + p]! - 128 / 255, values[2 * pixels + p]! - 128 / 255];
    values[p] = clamped(y + 1.402 * red);
    values[pixels + p] = clamped(y - 0.344136 * blue - 0.714136 * red);
    values[2 * pixels + p] = clamped(y + 1.772 * blue);
  }
}

/** Which way the chroma of a file has half the samples; undefined where it has all, or colours are coded unusually. */
function halvedChroma(bytes: Uint8Array): { across: boolean; down: boolean } | undefined {
  for (
    let at = 2;
    at + 4 < bytes.length && bytes[at] === 0xff;
    at += 2 + bytes[at + 2]! * 256 + bytes[at + 3]!
  ) {
    const marker = bytes[at + 1]!;
    if (marker === APPLICATION_14) return undefined;
    if (marker < 0xc0 || marker > 0xc2) continue;
    if (bytes[at + 9] !== 3) return undefined;
    const [luma, blue, red] = [0, 1, 2].map((k) => bytes[at + 11 + 3 * k]); // factors across and down, 4 bits each
    if (blue !== 0x11 || red !== 0x11) return undefined;
    const [across, down] = [luma! >> 4, luma! & 15];
    if (across * down === 1 || across > 2 || down > 2) return undefined;
    return { across: across === 2, down: down === 2 };
  }
  return undefined;
}

/** Where the last such marker begins, -1 without one. Inside a scan 0xff is followed by 0, so that none can seem to be there. */
function lastMarker(bytes: Uint8Array, kind: number): number {
  for (let at = bytes.length - 2; at >= 0; at--) if (bytes[at] === 0xff && bytes[at + 1] === kind) return at;
  return -1;
}
