import { UsageError } from "../engine/errors.ts";
import { type Mixture, mixture } from "./mixture.ts";
import { type Random, random } from "./random.ts";

/** A distribution on the plane. */
export interface Toy {
  name: string;
  /** n points, [n, 2]; the same seed gives the same points. Throws UsageError unless n is a whole number. */
  sample(n: number, seed: number): Float32Array;
}

type Point = [x: number, y: number];

/**
 * Two Gaussians of unit variance with weights 1/5 and 4/5 at (-5, -5) and (5, 5). Song & Ermon 2019, section
 * 3.2.
 */
export const twoGaussians: Toy & Mixture = mixtureToy("two_gaussians", [
  { weight: 1 / 5, mean: [-5, -5], sigma: 1 },
  { weight: 4 / 5, mean: [5, 5], sigma: 1 },
]);

/** Eight narrow Gaussians of equal weight on a circle of radius 4. */
export const eightGaussians: Toy & Mixture = mixtureToy(
  "eight_gaussians",
  Array.from({ length: 8 }, (_, k) => {
    const angle = (2 * Math.PI * k) / 8;
    return { weight: 1 / 8, mean: [4 * Math.cos(angle), 4 * Math.sin(angle)], sigma: 0.3 };
  }),
);

/** Four rings of radius 1, 2, 3 and 4, equally bright along their length, 0.08 thick. */
export const rings = toy("rings", (r) => {
  const radius = [1, 2, 2, 3, 3, 3, 4, 4, 4, 4][r.below(10)]! + 0.08 * r.normal(); // as often as long
  const angle = r.between(0, 2 * Math.PI);
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
});

/** The dark squares of a 4 by 4 board on [-4, 4]^2, uniform. */
export const checkerboard = toy("checkerboard", (r) => {
  const x = r.between(-4, 4);
  const column = Math.floor(x / 2);
  const row = 2 * r.below(2) - 2 + (column & 1);
  return [x, 2 * row + r.between(0, 2)];
});

/**
 * One and a half turns of a spiral, its radius growing from 1.5 to 4.5, equally bright along its length, 0.1
 * thick.
 */
export const swissRoll = toy("swiss_roll", (r) => {
  const radius = Math.sqrt(r.between(1.5 ** 2, 4.5 ** 2)); // length grows with the square of the radius
  const angle = Math.PI * radius;
  return [radius * Math.cos(angle) + 0.1 * r.normal(), radius * Math.sin(angle) + 0.1 * r.normal()];
});

export const toys = {
  two_gaussians: twoGaussians,
  eight_gaussians: eightGaussians,
  rings,
  checkerboard,
  swiss_roll: swissRoll,
} satisfies Record<string, Toy>;

export type ToyName = keyof typeof toys;

function toy(name: string, point: (r: Random) => Point): Toy {
  return {
    name,
    sample(n, seed) {
      if (!Number.isInteger(n) || n < 0) {
        throw new UsageError(`${name}: got n ${n}, expected a whole number of points; 2000 show the shape`);
      }
      const r = random(seed);
      const out = new Float32Array(2 * n);
      for (let i = 0; i < n; i++) out.set(point(r), 2 * i);
      return out;
    },
  };
}

function mixtureToy(name: string, components: Parameters<typeof mixture>[0]): Toy & Mixture {
  const law = mixture(components);
  return { ...toy(name, law.draw), ...law };
}
