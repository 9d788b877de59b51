import { convertIndexedToRgb, type DecodedPng, decode } from "fast-png";

/** Pixels in [0, 1], laid out channel, row, column. */
export interface Raster {
  channels: number;
  height: number;
  width: number;
  values: Float32Array;
}

/**
 * A PNG file as grey (1) or RGB (3) in [0, 1]; whatever is transparent lies on white. Throws fast-png's
 * errors, and its own for what fast-png takes though it cannot be read.
 */
export function decodePng(bytes: Uint8Array): Raster {
  // In a buffer of its own: fast-png reads on beyond a cut file, in what else its buffer holds.
  const alone = bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
  const png = decode(alone, { checkCrc: true });
  requireReadable(png, bytes);
  const { samples, channels, most } = unpack(png);
  const alpha = channels === 2 || channels === 4;
  const colours = alpha ? channels - 1 : channels;
  const pixels = png.width * png.height;

  const values = new Float32Array(colours * pixels);
  for (let p = 0; p < pixels; p++) {
    const at = p * channels;
    const opacity = alpha ? samples[at + colours]! / most : isKeyedOut(png, samples, at) ? 0 : 1;
    for (let c = 0; c < colours; c++)
      values[c * pixels + p] = 1 - opacity + opacity * (samples[at + c]! / most);
  }
  return { channels: colours, height: png.height, width: png.width, values };
}

/** Where the header says it, and what it says there: PNG specification, 11.2.1. */
const COLOUR_TYPE = 25;
const INTERLACE = 28;
const INDEXED = 3;

function requireReadable({ width, height, depth, palette }: DecodedPng, bytes: Uint8Array): void {
  if (width === 0 || height === 0) throw new Error(`${width}x${height} pixels`);
  if (bytes[COLOUR_TYPE] === INDEXED && !palette?.length)
    throw new Error("a palette's indices without the palette");
  if (bytes[INTERLACE] !== 0 && depth < 8)
    throw new Error("interlaced samples of less than a byte, which are not known here; save it otherwise");
}

/**
 * One sample a value: palettes looked up, samples of 1, 2 and 4 bits taken out of their bytes (rows begin on
 * a byte).
 */
function unpack(png: DecodedPng): { samples: ArrayLike<number>; channels: number; most: number } {
  if (png.palette) return { samples: convertIndexedToRgb(png), channels: png.palette[0]!.length, most: 255 };
  const { width, height, channels, depth, data } = png;
  const most = 2 ** depth - 1;
  if (depth >= 8) return { samples: data, channels, most };

  const rowBytes = Math.ceil((width * depth) / 8);
  const samples = Uint8Array.from({ length: width * height }, (_, p) => {
    const bit = (p % width) * depth;
    const byte = data[Math.floor(p / width) * rowBytes + (bit >> 3)]!;
    return (byte >> (8 - depth - (bit & 7))) & most;
  });
  return { samples, channels, most };
}

/** A PNG without alpha may name one colour as transparent. */
function isKeyedOut({ transparency }: DecodedPng, samples: ArrayLike<number>, at: number): boolean {
  return transparency?.every((key, c) => samples[at + c] === key) ?? false;
}
