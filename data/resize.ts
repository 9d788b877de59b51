/** Brings images of one height and width to size * size. [C,H,W] -> [C,size,size] */
export type Resizer = (values: Float32Array, channels: number) => Float32Array;

interface ResizeOptions {
  /** Side of the centred square to take, in pixels, no more than either side of the image. Default: the shorter side. */
  crop?: number | undefined;
  filter?: FilterName | undefined;
}

/** The old pixels a new one is made of: those from start on, with these weights, which sum to 1. */
interface Taps {
  start: number;
  weights: Float64Array;
}

/**
 * How a line of side pixels becomes one of size. All of them average over what a new pixel covers, so that shrinking
 * is free of aliasing:
 * - area: each old pixel by the share covered, as tf.image.resize does with "area"; upwards it repeats pixels;
 * - bilinear, bicubic: a triangle or Keys' cubic (a = -1/2) as wide as the new pixels are apart, as PIL.Image.resize
 *   and tf.image.resize with antialias do.
 */
const filters = {
  area,
  bilinear: convolution(1, (x) => 1 - x),
  bicubic: convolution(2, (x) => (x < 1 ? (1.5 * x - 2.5) * x * x + 1 : ((-0.5 * x + 2.5) * x - 4) * x + 2)),
} satisfies Record<string, (side: number, size: number) => Taps[]>;

export type FilterName = keyof typeof filters;

export const filterNames = Object.keys(filters) as FilterName[];

/** Takes a centred square and brings it to size * size. Cubic weights are partly negative: values may leave [0, 1]. */
export function squareResizer(
  height: number,
  width: number,
  size: number,
  { crop = Math.min(height, width), filter = "area" }: ResizeOptions = {},
): Resizer {
  const taps = filters[filter](crop, size);
  const [top, left] = [Math.floor((height - crop) / 2), Math.floor((width - crop) / 2)];

  return (values, channels) => {
    const narrowed = new Float64Array(channels * crop * size); // [C,H,W] -> [C,crop,size]
    for (let line = 0; line < channels * crop; line++) {
      const row = (Math.floor(line / crop) * height + top + (line % crop)) * width + left;
      for (let x = 0; x < size; x++) {
        const { start, weights } = taps[x]!;
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k]! * values[row + start + k]!;
        narrowed[line * size + x] = sum;
      }
    }

    const out = new Float32Array(channels * size * size); // [C,crop,size] -> [C,size,size]
    for (let line = 0; line < channels * size; line++) {
      const { start, weights } = taps[line % size]!;
      const first = Math.floor(line / size) * crop + start;
      for (let x = 0; x < size; x++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k]! * narrowed[(first + k) * size + x]!;
        out[line * size + x] = sum;
      }
    }
    return out;
  };
}

function area(side: number, size: number): Taps[] {
  const step = side / size;
  return Array.from({ length: size }, (_, i) => {
    const [low, high] = [i * step, (i + 1) * step];
    const start = Math.floor(low);
    const end = Math.max(start + 1, Math.min(side, Math.ceil(high)));
    const shares = Float64Array.from(
      { length: end - start },
      (_, k) => Math.min(high, start + k + 1) - Math.max(low, start + k),
    );
    return { start, weights: normalised(shares) };
  });
}

/** A filter that falls to 0 at reach, for distances in new pixels when shrinking and in old ones else. */
function convolution(reach: number, kernel: (distance: number) => number) {
  return (side: number, size: number): Taps[] => {
    const step = side / size;
    const width = Math.max(step, 1);
    return Array.from({ length: size }, (_, i) => {
      const centre = (i + 0.5) * step;
      const start = Math.max(0, Math.floor(centre - reach * width + 0.5));
      const end = Math.min(side, Math.floor(centre + reach * width + 0.5));
      const weights = Float64Array.from({ length: end - start }, (_, k) => {
        const distance = Math.abs(start + k + 0.5 - centre) / width;
        return distance < reach ? kernel(distance) : 0;
      });
      return { start, weights: normalised(weights) };
    });
  };
}

/** Beside an edge a filter finds only some of its pixels. */
function normalised(weights: Float64Array): Float64Array {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}
