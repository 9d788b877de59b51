import { type ImageSet, imageSize } from "../../data/dataset.ts";

/** Images by index, whether they lie in memory or are read when asked for. */
export type Images = Pick<ImageSet, "count" | "channels" | "height" | "width" | "image">;

export type Shape = readonly [channels: number, height: number, width: number];

/** Pixels [n, c, h, w] in [0, 1] as images. */
export function imagesOf(pixels: Float32Array, [channels, height, width]: Shape): Images {
  const size = channels * height * width;
  return {
    ...{ count: pixels.length / size, channels, height, width },
    image: (i, out, offset) => out.set(pixels.subarray(i * size, (i + 1) * size), offset),
  };
}

/** Pixels of the images from first on, [n, c, h, w]. */
export function pixelsOf(images: Images, first = 0, count = images.count - first): Float32Array<ArrayBuffer> {
  const size = imageSize(images as ImageSet);
  const out = new Float32Array(count * size);
  for (let k = 0; k < count; k++) images.image(first + k, out, k * size);
  return out;
}

/** The images in another order, of which there may be fewer. */
export const reordered = (images: Images, indices: ArrayLike<number>): Images => ({
  ...images,
  count: indices.length,
  image: (i, out, offset) => images.image(indices[i]!, out, offset),
});
