import { UsageError } from "../../engine/errors.ts";

export interface GridOptions {
  /** Shape of the images, [n, c, h, w]; c is 1 for grey, 3 for RGB. */
  n: number;
  c: number;
  h: number;
  w: number;
  /** Images in a row. Default: as square as n allows. */
  columns?: number;
  /** Screen pixels for each image pixel, a whole number. */
  scale?: number;
  /** Screen pixels between images and around them. */
  gap?: number;
}

/** Bytes of a picture, row, column, channel. */
export interface Picture {
  width: number;
  height: number;
  channels: number;
  data: Uint8Array;
}

/** Of what lies between images, in bytes. */
export const GAP_SHADE = 64; // neither the black nor the white of the images

/**
 * Lays images [n, c, h, w] out in a grid, row by row. Values outside [0, 1] are clamped; NaN shows as black.
 * who begins the message of the UsageError on a shape that is not the array's.
 */
export function tile(who: string, images: Float32Array, options: GridOptions): Picture {
  const { n, c, h, w, columns = Math.ceil(Math.sqrt(n)), scale = 1, gap = 2 } = options;
  requireShape(who, images, { n, c, h, w, columns, scale, gap });

  const width = gap + columns * (w * scale + gap);
  const height = gap + Math.ceil(n / columns) * (h * scale + gap);
  const data = new Uint8ClampedArray(width * height * c).fill(GAP_SHADE); // clamps and rounds
  for (let i = 0; i < n; i++) {
    const left = gap + (i % columns) * (w * scale + gap);
    const top = gap + Math.floor(i / columns) * (h * scale + gap);
    for (let y = 0; y < h * scale; y++) {
      for (let x = 0; x < w * scale; x++) {
        const from = i * c * h * w + Math.floor(y / scale) * w + Math.floor(x / scale);
        const to = ((top + y) * width + left + x) * c;
        for (let k = 0; k < c; k++) data[to + k] = 255 * images[from + k * h * w]!;
      }
    }
  }
  return { width, height, channels: c, data: new Uint8Array(data.buffer) };
}

/** Two pictures of one height and one number of channels, side by side. */
export function beside(left: Picture, right: Picture): Picture {
  const [a, b] = [left, right].map(({ width, channels }) => width * channels) as [number, number];
  const data = new Uint8Array((a + b) * left.height);
  for (let y = 0; y < left.height; y++) {
    data.set(left.data.subarray(y * a, (y + 1) * a), y * (a + b));
    data.set(right.data.subarray(y * b, (y + 1) * b), y * (a + b) + a);
  }
  return { ...left, width: left.width + right.width, data };
}

function requireShape(
  who: string,
  images: Float32Array,
  { n, c, h, w, columns, scale, gap }: Required<GridOptions>,
): void {
  if (c !== 1 && c !== 3) {
    throw new UsageError(
      `${who}: got ${c} channels, expected 1 (grey) or 3 (RGB); choose the channels to show`,
    );
  }
  const size = n * c * h * w;
  if (n < 1 || images.length !== size) {
    throw new UsageError(
      `${who}: got ${images.length} values, expected ${size} for [${n}, ${c}, ${h}, ${w}]; ` +
        `give the shape of the images as n, c, h, w`,
    );
  }
  if (!isWhole(columns, 1) || !isWhole(scale, 1) || !isWhole(gap, 0)) {
    throw new UsageError(
      `${who}: got columns ${columns}, scale ${scale}, gap ${gap}, ` +
        `expected whole numbers, the first two from 1; ` +
        `leave them out for the defaults`,
    );
  }
}

const isWhole = (value: number, least: number) => Number.isInteger(value) && value >= least;
