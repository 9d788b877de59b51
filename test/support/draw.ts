import { type Array64, array64, sizeOf } from "../../engine/oracle/array.ts";
import { randomNormal, randomUniform } from "../../engine/oracle/philox.ts";

/** Seeded values of a shape, each a float32: the kernel and the float64 oracle start from the same numbers. */
export type Draw = (shape: readonly number[], seed: number) => Array64;

const spec = (seed: number) => ({ seed: [seed >>> 0, 0] as const, step: 0, purpose: 0 });

/** Every element rounded to float32. */
export const rounded = (x: Array64): Array64 => ({ shape: x.shape, data: x.data.map(Math.fround) });

/** Standard normal. */
export const normal: Draw = (shape, seed) => rounded(randomNormal(shape, spec(seed)));

/** Uniform on [low, high). */
export const uniform =
  (low: number, high: number): Draw =>
  (shape, seed) => {
    const u = randomUniform(shape, spec(seed));
    return rounded({ shape: u.shape, data: u.data.map((v) => low + (high - low) * v) });
  };

/** Normal, but at least `margin` from 0: for functions with a kink there. */
export const awayFromZero =
  (margin: number): Draw =>
  (shape, seed) => {
    const z = normal(shape, seed);
    return rounded({ shape: z.shape, data: z.data.map((v) => v + (v < 0 ? -margin : margin)) });
  };

/** A shuffle of equally spaced values on about [-1, 1]: no ties, and no two closer than 2 / size. */
export const distinct: Draw = (shape, seed) => {
  const size = sizeOf(shape);
  const keys = randomUniform([size], spec(seed)).data;
  const order = Array.from({ length: size }, (_, i) => i).sort((a, b) => keys[a]! - keys[b]!);
  return rounded(
    array64(
      shape,
      order.map((rank) => (2 * rank + 1) / size - 1),
    ),
  );
};

/** Whole numbers from 0 to below `n`, for labels. */
export const labels = (shape: readonly number[], n: number, seed: number): Array64 => {
  const u = uniform(0, n)(shape, seed);
  return { shape: u.shape, data: u.data.map((v) => Math.min(n - 1, Math.floor(v))) };
};
