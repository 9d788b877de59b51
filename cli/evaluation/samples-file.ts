import { readFileSync } from "node:fs";
import { UsageError } from "../../engine/errors.ts";
import { type NumpyArray, readNpz } from "../pictures/read-npz.ts";
import { hashOfBytes } from "./hash.ts";
import type { Shape } from "./image-list.ts";

interface SamplesFile {
  /** [n, c, h, w] in [0, 1]. */
  readonly pixels: Float32Array<ArrayBuffer>;
  readonly count: number;
  readonly sha256: string;
}

/**
 * Samples out of a .npz file: its array "samples", or its only one, [n,c,h,w] or [n,h,w,c]; floats in [0, 1] or bytes.
 * Throws UsageError for images of another shape and values outside the interval.
 */
export function readSamples(path: string, shape: Shape): SamplesFile {
  const who = `evaluate: --samples ${path}`;
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new UsageError(`${who}: cannot read it (${(cause as NodeJS.ErrnoException).code}); check the path`);
  }
  const arrays = readNpz(bytes, who);
  const array =
    arrays.find(({ name }) => name === "samples") ?? (arrays.length === 1 ? arrays[0] : undefined);
  if (!array)
    throw new UsageError(
      `${who}: got arrays ${arrays.map(({ name }) => name).join(", ") || "none"}, expected one named samples`,
    );
  const pixels = channelsFirst(array, shape, who);
  const outside = pixels.findIndex((v) => !(v >= 0 && v <= 1));
  if (outside >= 0)
    throw new UsageError(
      `${who}: got the value ${pixels[outside]}, expected floats from 0 to 1, or bytes; bring images in [-1, 1] to 0.5 x + 0.5`,
    );
  return { pixels, count: array.shape[0]!, sha256: hashOfBytes(bytes) };
}

function channelsFirst({ shape, data, dtype }: NumpyArray, [c, h, w]: Shape, who: string) {
  const [n = 0, ...image] = shape;
  const per = dtype === "u1" ? 255 : 1;
  if (image.join() === [c, h, w].join()) return Float32Array.from(data, (v) => v / per);
  if (image.join() !== [h, w, c].join())
    throw new UsageError(
      `${who}: got images of ${image.join("x")}, expected the run's, ${c}x${h}x${w} or ${h}x${w}x${c}`,
    );
  const out = new Float32Array(n * c * h * w);
  for (let i = 0; i < n; i++)
    for (let p = 0; p < h * w; p++)
      for (let k = 0; k < c; k++) out[(i * c + k) * h * w + p] = data[(i * h * w + p) * c + k]! / per;
  return out;
}
