import { boardLaw, type Law, mixtureLaw, ringsLaw } from "../../bench/figures/law.ts";
import { type Component, type Mixture, mixture } from "../../data/mixture.ts";
import { random } from "../../data/random.ts";
import { eightGaussians, swissRoll, twoGaussians } from "../../data/toys.ts";

/** A distribution on the plane to learn, with its score at any blur in closed form. */
export interface PointSet {
  readonly title: string;
  /** The picture shows [-reach, reach]^2. */
  readonly reach: number;
  /** The set blurred by N(0, sigma^2 I), sigma above 0. */
  law(sigma: number): Law;
}

export const pointSets = {
  eight_gaussians: {
    title: "Eight Gaussians",
    reach: 5.5,
    law: (sigma) => mixtureLaw(eightGaussians, sigma),
  },
  rings: { title: "Rings", reach: 5.5, law: ringsLaw },
  checkerboard: { title: "Checkerboard", reach: 5.5, law: boardLaw },
  swiss_roll: { title: "Swiss roll", reach: 6, law: (sigma) => swissRollLaw(sigma) },
  two_gaussians: { title: "Two Gaussians", reach: 9, law: (sigma) => mixtureLaw(twoGaussians, sigma) },
} satisfies Record<string, PointSet>;

/** Nodes along the spiral, 28 units long: half of its thickness apart, where the rule's error is exp(-2 pi^2 4). */
const NODES = 500;

/**
 * The spiral as round Gaussians along its line: the midpoint rule over the square of the radius, which is uniform, for
 * the integral that is its density.
 */
const spiral: Mixture = mixture(
  Array.from({ length: NODES }, (_, k): Component => {
    const radius = Math.sqrt(1.5 ** 2 + ((4.5 ** 2 - 1.5 ** 2) * (k + 0.5)) / NODES);
    const angle = Math.PI * radius;
    return { weight: 1 / NODES, mean: [radius * Math.cos(angle), radius * Math.sin(angle)], sigma: 0.1 };
  }),
);

const swissRollLaw = (sigma: number): Law => ({
  name: swissRoll.name,
  sigma,
  clean: (n, seed) => swissRoll.sample(n, seed) as Float32Array<ArrayBuffer>,
  score: (x) => spiral.score(x, sigma),
});

/** Points that somebody draws: each as likely as another, so that blurred they are a mixture of round Gaussians. */
export class DrawnPoints implements PointSet {
  readonly title = "Your own points";
  readonly reach = 5.5;
  readonly #points: [x: number, y: number][] = [];

  get count(): number {
    return this.#points.length;
  }

  /** [count,2] */
  get points(): Float32Array {
    return Float32Array.from(this.#points.flat());
  }

  add(x: number, y: number): void {
    this.#points.push([x, y]);
  }

  clear(): void {
    this.#points.length = 0;
  }

  law(sigma: number): Law {
    const points = this.#points.slice();
    const { score } = mixture(points.map((mean) => ({ weight: 1 / points.length, mean, sigma: 0 })));
    return {
      name: "drawn points",
      sigma,
      clean(n, seed) {
        const r = random(seed);
        const out = new Float32Array(2 * n);
        for (let i = 0; i < n; i++) out.set(points[r.below(points.length)]!, 2 * i);
        return out;
      },
      score: (x) => score(x, sigma),
    };
  }
}
