import { UsageError } from "../engine/errors.ts";
import type { ImageSet } from "./dataset.ts";
import { hands } from "./digit-strokes.ts";
import { type Random, random } from "./random.ts";
import { type Ink, rasterise } from "./raster.ts";
import { type Polyline, shake, trace } from "./strokes.ts";

const SIZE = 28;
const DEGREE = Math.PI / 180;

/**
 * The built-in image set: handwritten-looking digits in the manner of MNIST, 1 x 28 x 28, white on black,
 * drawn by formula. Image i shows the digit i % 10 and is a function of (seed, i) alone: a longer set begins
 * with the shorter one. Images are drawn when first read and kept as bytes.
 */
export function digits({ count = 12_000, seed = 0 }: { count?: number; seed?: number } = {}): ImageSet {
  if (!Number.isInteger(count) || count < 1) {
    throw new UsageError(
      `digits: got count ${count}, expected a whole number from 1; 12000 is the usual size`,
    );
  }
  const pixels = SIZE * SIZE;
  const bytes = new Uint8Array(count * pixels);
  const drawn = new Uint8Array(count);
  return {
    ...{ name: "digits", count, channels: 1, height: SIZE, width: SIZE },
    image(i, out, offset) {
      if (!drawn[i]) {
        drawDigit(i % 10, random(seed, i), bytes, i * pixels);
        drawn[i] = 1;
      }
      for (let p = 0; p < pixels; p++) out[offset + p] = bytes[i * pixels + p]! / 255;
    },
    label: (i) => i % 10,
  };
}

/** Draws one digit by one hand into 28 * 28 bytes of out from offset on, which must be zero before. */
function drawDigit(digit: number, r: Random, out: Uint8Array, offset: number): void {
  const unsteadiness = r.between(0.005, 0.03);
  const lines = hands[digit]!(r).map((stroke) => trace(shake(stroke, unsteadiness, r)));
  slant(lines, r);
  const pen = r.between(0.85, 1.9);
  place(lines, pen, r);
  rasterise(
    lines.map((line) => press(line, pen, r)),
    r.between(1, 1.7),
    SIZE,
    out,
    offset,
  );
}

/** Rotates, shears and narrows in place, as the writer holds the page. Most hands lean to the right. */
function slant(lines: Polyline[], r: Random): void {
  const angle = r.between(-12, 12) * DEGREE;
  const shear = r.between(-0.15, 0.3);
  const width = r.between(0.75, 1.1);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  for (const point of lines.flat()) {
    const x = (point[0] - 0.5) * width - shear * (point[1] - 0.5);
    const y = point[1] - 0.5;
    point[0] = cos * x - sin * y;
    point[1] = sin * x + cos * y;
  }
}

/**
 * Scales the ink's box to 17 .. 21.5 pixels, MNIST's being 20, and puts it near the middle of the image, in
 * place.
 */
function place(lines: Polyline[], pen: number, r: Random): void {
  const points = lines.flat();
  const range = (axis: 0 | 1) => {
    const values = points.map((point) => point[axis]);
    return [Math.min(...values), Math.max(...values)] as const;
  };
  const [left, right] = range(0);
  const [top, bottom] = range(1);
  const scale = (r.between(17, 21.5) - 2 * pen) / Math.max(right - left, bottom - top);
  const middle = (SIZE - 1) / 2;
  const [shiftX, shiftY] = [middle + r.between(-1.5, 1.5), middle + r.between(-1.5, 1.5)];
  for (const point of points) {
    point[0] = shiftX + scale * (point[0] - (left + right) / 2);
    point[1] = shiftY + scale * (point[1] - (top + bottom) / 2);
  }
}

/** Ink along a line: the pen presses unevenly, from one radius at its start to another at its end. */
function press(line: Polyline, pen: number, r: Random): Ink {
  const [start, end] = [pen * r.between(0.75, 1.1), pen * r.between(0.7, 1.1)];
  const last = line.length - 1;
  return { line, radius: line.map((_, k) => start + ((end - start) * k) / last) };
}
