import { describe, expect, test } from "vitest";
import { type FilterName, filterNames, squareResizer } from "../../data/resize.ts";

const [WIDTH, HEIGHT] = [19, 15];
const byte = (x: number, y: number) => (x * x * 7 + y * 31 + x * y * 13) % 256;
const image = Float32Array.from(
  { length: WIDTH * HEIGHT },
  (_, i) => byte(i % WIDTH, Math.floor(i / WIDTH)) / 255,
);

/** What a crop of the image above becomes in PIL.Image.resize (Pillow 12.3), in bytes. */
const pillow: [FilterName, number, number, number[]][] = [
  ["bilinear", 15, 4, [115, 141, 146, 129, 117, 133, 124, 137, 122, 123, 122, 119, 126, 106, 129, 121]],
  ["bicubic", 15, 4, [112, 144, 149, 129, 116, 137, 119, 139, 122, 124, 122, 117, 126, 103, 133, 121]],
  [
    "bilinear",
    11,
    5,
    [
      121, 139, 162, 121, 136, 113, 125, 131, 131, 147, 135, 146, 132, 92, 78, 101, 113, 138, 119, 150, 98,
      84, 105, 144, 143,
    ],
  ],
  [
    "bicubic",
    11,
    5,
    [
      119, 140, 168, 119, 136, 113, 124, 130, 126, 151, 135, 152, 140, 94, 70, 99, 115, 138, 113, 153, 98, 81,
      96, 149, 144,
    ],
  ],
  [
    "bilinear",
    5,
    8,
    [
      185, 147, 95, 50, 89, 213, 200, 181, 126, 140, 154, 113, 121, 178, 162, 145, 59, 132, 223, 186, 155,
      127, 108, 94, 135, 142, 148, 116, 90, 67, 53, 43, 131, 142, 153, 126, 105, 87, 78, 71, 47, 131, 238,
      216, 200, 187, 183, 180, 108, 139, 179, 162, 151, 143, 144, 145, 161, 146, 126, 113, 105, 101, 106, 109,
    ],
  ],
  [
    "bicubic",
    5,
    8,
    [
      202, 157, 84, 17, 71, 225, 215, 184, 124, 142, 157, 103, 115, 189, 173, 150, 39, 126, 236, 201, 157,
      126, 103, 91, 145, 146, 139, 107, 75, 48, 30, 22, 141, 145, 144, 116, 92, 77, 65, 60, 26, 123, 251, 229,
      205, 194, 188, 187, 100, 137, 183, 167, 153, 147, 149, 151, 173, 151, 116, 103, 97, 94, 100, 104,
    ],
  ],
];

test.each(pillow)("%s from %d to %d: as Pillow does", (filter, crop, size, expected) => {
  const values = squareResizer(HEIGHT, WIDTH, size, { crop, filter })(image, 1);
  values.forEach((value, i) => {
    // Pillow rounds between its two passes, where a cubic may double the half byte, and once more at the end.
    expect(Math.abs(255 * Math.min(1, Math.max(0, value)) - expected[i]!), `value ${i}`).toBeLessThan(1.3);
  });
});

/** The share of pixel at in new pixel i by the definition: every pixel of the line is asked, none is left out. */
const shares: Record<FilterName, (at: number, i: number, side: number, size: number) => number> = {
  area: (at, i, side, size) => {
    const step = side / size;
    return Math.max(0, Math.min(at + 1, (i + 1) * step) - Math.max(at, i * step));
  },
  bilinear: (at, i, side, size) => Math.max(0, 1 - distance(at, i, side, size)),
  bicubic: (at, i, side, size) => {
    const d = distance(at, i, side, size);
    if (d >= 2) return 0;
    return d < 1 ? 1.5 * d ** 3 - 2.5 * d ** 2 + 1 : -0.5 * d ** 3 + 2.5 * d ** 2 - 4 * d + 2; // Keys 1981
  },
};

const distance = (at: number, i: number, side: number, size: number) =>
  Math.abs(at + 0.5 - ((i + 0.5) * side) / size) / Math.max(1, side / size);

/** One value of the result, a double sum in float64. */
function reference(
  channel: number[],
  filter: FilterName,
  crop: number,
  size: number,
  x: number,
  y: number,
): number {
  const [left, top] = [Math.floor((WIDTH - crop) / 2), Math.floor((HEIGHT - crop) / 2)];
  let [sum, total] = [0, 0];
  for (let v = 0; v < crop; v++)
    for (let u = 0; u < crop; u++) {
      const share = shares[filter](u, x, crop, size) * shares[filter](v, y, crop, size);
      sum += share * channel[(top + v) * WIDTH + left + u]!;
      total += share;
    }
  return sum / total;
}

describe.each(filterNames)("%s", (filter) => {
  test.each([
    [15, 4],
    [14, 7],
    [13, 1],
    [11, 5],
    [9, 9],
    [5, 8],
    [1, 3],
  ])("from %d to %d: the definition in float64, in every channel", (crop, size) => {
    const both = new Float32Array(2 * WIDTH * HEIGHT);
    both.set(image);
    both.set(
      image.map((value) => 1 - value * value),
      image.length,
    );
    const values = squareResizer(HEIGHT, WIDTH, size, { crop, filter })(both, 2);
    expect(values.length).toBe(2 * size * size);
    values.forEach((value, i) => {
      const [c, y, x] = [Math.floor(i / size ** 2), Math.floor(i / size) % size, i % size];
      const channel = Array.from(both.subarray(c * image.length, (c + 1) * image.length));
      expect(Math.abs(value - reference(channel, filter, crop, size, x, y)), `value ${i}`).toBeLessThan(2e-7);
    });
  });

  test("grey stays the same grey", () => {
    const grey = new Float32Array(HEIGHT * WIDTH).fill(0.3);
    for (const size of [2, 7, 15, 40])
      for (const value of squareResizer(HEIGHT, WIDTH, size, { filter })(grey, 1))
        expect(value).toBeCloseTo(0.3, 6);
  });

  test("stripes finer than the new pixels leave no pattern", () => {
    const stripes = Float32Array.from({ length: 64 * 64 }, (_, i) => i % 2);
    const values = squareResizer(64, 64, 8, { filter })(stripes, 1);
    for (const value of values) expect(Math.abs(value - 0.5)).toBeLessThan(0.03);
  });
});
