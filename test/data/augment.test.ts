import { describe, expect, test } from "vitest";
import { augment } from "../../data/augment.ts";

const COUNT = 400;
/** [n,1,2,3], each image the same six values. */
const batch = (): Float32Array => Float32Array.from({ length: COUNT * 6 }, (_, i) => (i % 6) / 255);
const shape = { count: COUNT, width: 3 };

test("without a wish nothing changes", () => {
  const images = batch();
  augment(images, shape, {}, [1, 2]);
  expect(images).toEqual(batch());
});

describe("flip", () => {
  const flipped = (seed: number, step: number) => {
    const images = batch();
    augment(images, shape, { flip: true }, [seed, step]);
    return Array.from({ length: COUNT }, (_, n) =>
      [...images.subarray(6 * n, 6 * n + 6)].map((v) => Math.round(255 * v)),
    );
  };

  test("turns about half of the images over, row by row", () => {
    const over = flipped(1, 0).filter((image) => image[0] === 2);
    expect(over.every((image) => image.join() === "2,1,0,5,4,3")).toBe(true);
    expect(flipped(1, 0).filter((image) => image.join() === "0,1,2,3,4,5").length).toBe(COUNT - over.length);
    expect(Math.abs(over.length - COUNT / 2)).toBeLessThan(50); // five standard deviations
  });

  test("is a function of seed and step", () => {
    expect(flipped(1, 7)).toEqual(flipped(1, 7));
    expect(flipped(1, 7)).not.toEqual(flipped(1, 8));
    expect(flipped(1, 7)).not.toEqual(flipped(2, 7));
  });
});

test("centered images are 2 x - 1 of what they would have been", () => {
  const [images, centered] = [batch(), batch()];
  const wish = { flip: true, uniformDequantization: true };
  augment(images, shape, wish, [3, 0]);
  augment(centered, shape, { ...wish, centered: true }, [3, 0]);
  expect(centered).toEqual(images.map((v) => 2 * v - 1));
});

test("uniform dequantization spreads a value over its 256th and keeps the order of values", () => {
  const images = batch();
  augment(images, shape, { uniformDequantization: true }, [3, 0]);
  const shares = [...images].map((v, i) => 256 * v - (i % 6));
  expect(Math.min(...shares)).toBeGreaterThan(-1e-4);
  expect(Math.max(...shares)).toBeLessThan(1 + 1e-4);
  const mean = shares.reduce((a, b) => a + b, 0) / shares.length;
  expect(Math.abs(mean - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 12 / shares.length));
  const brightest = Float32Array.of(1);
  augment(brightest, { count: 1, width: 1 }, { uniformDequantization: true }, [3, 0]);
  expect(brightest[0]).toBeLessThanOrEqual(1);
});
