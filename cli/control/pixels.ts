import type { Config } from "../config.ts";

export type Pixels = Float32Array<ArrayBuffer>;

/** Images in [0, 1] as a configuration's network sees them. */
export const asSeen = (pixels: Pixels, { data }: Config): Pixels =>
  data.centered ? pixels.map((v) => 2 * v - 1) : pixels;

/** Images as a network sees them in grey levels from 0 to 1, which they may leave. */
export const asPictures = (values: Pixels, { data }: Config): Pixels =>
  data.centered ? values.map((v) => 0.5 * v + 0.5) : values;

/** What grey levels from 0 to 1 are as numbers of the network. */
export const rangeOf = ({ data }: Config): readonly [low: number, high: number] =>
  data.centered ? [-1, 1] : [0, 1];

/** What a picture shows. */
export const clamped = (pixels: Pixels): Pixels => pixels.map((v) => Math.min(1, Math.max(0, v)));

/** Each of `count` images n times, one beside the other. */
export function repeated(pixels: Pixels, count: number, n: number): Pixels {
  const size = pixels.length / count;
  const out = new Float32Array(n * pixels.length);
  for (let k = 0; k < count * n; k++) {
    const from = Math.floor(k / n) * size;
    out.set(pixels.subarray(from, from + size), k * size);
  }
  return out;
}

/** Root mean square of the differences, over all elements or those that `counts` says. */
export function rms(a: Pixels, b: Pixels, counts: (i: number) => boolean = () => true): number {
  let [sum, n] = [0, 0];
  for (let i = 0; i < a.length; i++)
    if (counts(i)) {
      sum += (a[i]! - b[i]!) ** 2;
      n++;
    }
  return Math.sqrt(sum / n);
}

/** The largest difference. */
export function largest(a: Pixels, b: Pixels): number {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
}

/**
 * Root mean square, over elements, of the standard deviation among the n samples of each of `count` images, [count *
 * n,...]; 0 for one sample of each.
 */
export function spread(
  samples: Pixels,
  { count, n }: { count: number; n: number },
  counts: (i: number) => boolean = () => true,
): number {
  if (n === 1) return 0;
  const size = samples.length / (count * n);
  let [sum, elements] = [0, 0];
  for (let image = 0; image < count; image++)
    for (let i = 0; i < size; i++) {
      if (!counts(i)) continue;
      const values = Array.from({ length: n }, (_, k) => samples[(image * n + k) * size + i]!);
      const mean = values.reduce((a, b) => a + b, 0) / n;
      sum += values.reduce((a, b) => a + (b - mean) ** 2, 0) / (n - 1);
      elements++;
    }
  return Math.sqrt(sum / elements);
}
