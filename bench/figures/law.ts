import type { Mixture } from "../../data/mixture.ts";
import { random } from "../../data/random.ts";
import { checkerboard, eightGaussians, rings, type Toy, twoGaussians } from "../../data/toys.ts";
import { boardScore } from "./board-score.ts";
import { ringScore } from "./ring-score.ts";

/** A distribution on the plane blurred by N(0, sigma^2 I), its score in closed form: what a network is held against. */
export interface Law {
  name: string;
  /** Of the blur, in units of the data; 0 for none. */
  sigma: number;
  /** n points before the blur, [n, 2]; the same seed gives the same points. */
  clean(n: number, seed: number): Float32Array<ArrayBuffer>;
  /** grad log p_sigma at x, [n, 2] -> [n, 2], in float64. */
  score(x: ArrayLike<number>): Float64Array;
}

/** n points of the blurred distribution, [n, 2]. */
export function sampleLaw({ clean, sigma }: Law, n: number, seed: number): Float32Array<ArrayBuffer> {
  const r = random(seed, 1);
  return clean(n, seed).map((value) => value + sigma * r.normal());
}

const cleanOf = (toy: Toy) => (n: number, seed: number) => toy.sample(n, seed) as Float32Array<ArrayBuffer>;

export const mixtureLaw = (toy: Toy & Mixture, sigma: number): Law => ({
  name: toy.name,
  sigma,
  clean: cleanOf(toy),
  score: (x) => toy.score(x, sigma),
});

/** The toy's four rings of radius 1 to 4; a ring's share is its length. */
export const ringsLaw = (sigma: number): Law => ({
  name: rings.name,
  sigma,
  clean: cleanOf(rings),
  score: ringScore(
    [1, 2, 3, 4].map((radius) => ({ weight: radius / 10, radius, thickness: 0.08 })),
    sigma,
  ),
});

/** A circle of radius 1 without thickness, which has a density only once it is blurred. */
export const circleLaw = (sigma: number): Law => ({
  name: "circle",
  sigma,
  clean(n, seed) {
    const r = random(seed);
    const out = new Float32Array(2 * n);
    for (let i = 0; i < n; i++) {
      const angle = r.between(0, 2 * Math.PI);
      out.set([Math.cos(angle), Math.sin(angle)], 2 * i);
    }
    return out;
  },
  score: ringScore([{ weight: 1, radius: 1, thickness: 0 }], sigma),
});

export const boardLaw = (sigma: number): Law => ({
  name: checkerboard.name,
  sigma,
  clean: cleanOf(checkerboard),
  score: boardScore(sigma),
});

/** What the losses are compared on. The blur gives rings and squares a density that is smooth. */
export const comparedLaws: readonly Law[] = [mixtureLaw(eightGaussians, 0.3), ringsLaw(0.4), boardLaw(0.4)];

/** The mixture of Song & Ermon 2019, section 3.2, as it is. */
export const twoModes = mixtureLaw(twoGaussians, 0);
