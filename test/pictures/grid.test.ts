import { decode } from "fast-png";
import { expect, test } from "vitest";
import { grid } from "../../cli/pictures/png.ts";

test("grey images stand row by row in a grid, with a gap around each", () => {
  const images = Float32Array.of(0, 0.2, 0.4, 0.6, 0.8, 1);
  const png = decode(grid(images, { n: 3, c: 1, h: 1, w: 2, columns: 2, gap: 1 }));
  expect([png.width, png.height, png.channels, png.depth]).toEqual([7, 5, 1, 8]);
  const rows = Array.from({ length: 5 }, (_, y) => Array.from(png.data.subarray(7 * y, 7 * y + 7)));
  expect(rows).toEqual([
    [64, 64, 64, 64, 64, 64, 64],
    [64, 0, 51, 64, 102, 153, 64],
    [64, 64, 64, 64, 64, 64, 64],
    [64, 204, 255, 64, 64, 64, 64],
    [64, 64, 64, 64, 64, 64, 64],
  ]);
});

test("RGB planes become pixels, scaled up", () => {
  const red = Float32Array.of(1, 0, 0); // one pixel, three planes
  const png = decode(grid(red, { n: 1, c: 3, h: 1, w: 1, scale: 2, gap: 0 }));
  expect([png.width, png.height, png.channels]).toEqual([2, 2, 3]);
  expect(Array.from(png.data)).toEqual([255, 0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0]);
});

test("values outside [0, 1] are clamped, NaN is black", () => {
  const png = decode(grid(Float32Array.of(-3, 7, NaN, Infinity), { n: 1, c: 1, h: 1, w: 4, gap: 0 }));
  expect(Array.from(png.data)).toEqual([0, 255, 0, 255]);
});

test("without columns the grid is about square", () => {
  const png = decode(grid(new Float32Array(10), { n: 10, c: 1, h: 1, w: 1, gap: 0 }));
  expect([png.width, png.height]).toEqual([4, 3]);
});

test("says what is wrong with a shape", () => {
  const draw =
    (length: number, c: number, more = {}) =>
    () =>
      grid(new Float32Array(length), { n: 2, c, h: 2, w: 2, ...more });
  expect(draw(9, 1)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: grid: got 9 values, expected 8 for [2, 1, 2, 2]; give the shape of the images as n, c, h, w]`,
  );
  expect(draw(16, 2)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: grid: got 2 channels, expected 1 (grey) or 3 (RGB); choose the channels to show]`,
  );
  expect(draw(8, 1, { scale: 1.5 })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: grid: got columns 2, scale 1.5, gap 2, expected whole numbers, the first two from 1; leave them out for the defaults]`,
  );
});
