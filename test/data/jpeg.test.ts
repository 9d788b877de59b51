import { expect, test } from "vitest";
import { decodeJpeg } from "../../data/jpeg.ts";
import { jpegFiles } from "./jpeg-files.ts";

const [WIDTH, HEIGHT] = [19, 11];
const PIXELS = WIDTH * HEIGHT;

test.each(Object.entries(jpegFiles))("%s: as libjpeg-turbo reads it", (_, { file, pixels }) => {
  const image = decodeJpeg(Buffer.from(file, "base64"));
  expect([image.channels, image.height, image.width]).toEqual([3, HEIGHT, WIDTH]);
  const expected = Buffer.from(pixels, "base64");
  const apart = Array.from(image.values, (value, i) => {
    const [c, p] = [Math.floor(i / PIXELS), i % PIXELS];
    return Math.abs(255 * value - expected[3 * p + c]!);
  });
  // Rounding of the cosine transform, then of the colours: repeating the chroma would be 15 off.
  expect(Math.max(...apart)).toBeLessThan(3.5);
  expect(apart.reduce((sum, a) => sum + a, 0) / apart.length).toBeLessThan(0.7);
});

test.each(["whole chroma", "progressive"])("%s: cut anywhere it is an error and never an image", (name) => {
  const file = Buffer.from(jpegFiles[name]!.file, "base64");
  for (let length = 0; length < file.length; length += 3)
    expect(() => decodeJpeg(file.subarray(0, length)), `${length} bytes`).toThrow();
});

test("a scan that ends too early is told, though the file does not", () => {
  const file = Buffer.from(jpegFiles["whole chroma"]!.file, "base64");
  const end = file.length - 2;
  expect(() => decodeJpeg(Buffer.concat([file.subarray(0, end - 60), file.subarray(end)]))).toThrow();
});
