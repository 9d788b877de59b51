/** Brings images of one height and width to size * size. */
export type Resizer = (values: Float32Array, channels: number) => Float32Array;

/**
 * Takes the largest centred square and brings it to size * size by area: a new pixel is the mean of what it
 * covers, each old pixel weighted by the share covered. Downwards that is free of aliasing; upwards it
 * repeats pixels.
 */
export function squareResizer(height: number, width: number, size: number): Resizer {
  const side = Math.min(height, width);
  const rows = coverage(side, size, Math.floor((height - side) / 2));
  const columns = coverage(side, size, Math.floor((width - side) / 2));

  return (values, channels) => {
    const narrowed = new Float64Array(channels * height * size); // [C,H,W] -> [C,H,size]
    for (let line = 0; line < channels * height; line++) {
      for (let x = 0; x < size; x++) {
        for (const { at, weight } of columns[x]) {
          narrowed[line * size + x] += weight * values[line * width + at];
        }
      }
    }

    const out = new Float32Array(channels * size * size); // [C,H,size] -> [C,size,size]
    for (let line = 0; line < channels * size; line++) {
      const plane = Math.floor(line / size) * height;
      for (let x = 0; x < size; x++) {
        let sum = 0;
        for (const { at, weight } of rows[line % size]) sum += weight * narrowed[(plane + at) * size + x];
        out[line * size + x] = sum;
      }
    }
    return out;
  };
}

/** The old pixels that each of size new ones covers, of side old ones from start on; weights sum to 1. */
function coverage(side: number, size: number, start: number): { at: number; weight: number }[][] {
  const step = side / size;
  return Array.from({ length: size }, (_, i) => {
    const [low, high] = [i * step, (i + 1) * step];
    const covered: { at: number; weight: number }[] = [];
    for (let at = Math.floor(low); at < Math.min(side, Math.ceil(high)); at++) {
      const share = Math.min(high, at + 1) - Math.max(low, at);
      if (share > 0) covered.push({ at: start + at, weight: share / step });
    }
    return covered;
  });
}
