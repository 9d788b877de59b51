import type { Random } from "./random.ts";

/** A round Gaussian on the plane. weight: its share, all summing to 1; sigma > 0: deviation along an axis. */
export interface Component {
  weight: number;
  mean: readonly number[];
  sigma: number;
}

/** A mixture of Gaussians and what a score network is held against: its score and density in closed form. */
export interface Mixture {
  components: readonly Component[];
  /** One point, [2]. */
  draw(r: Random): [x: number, y: number];
  /** grad log p_sigma at x, [n, 2] -> [n, 2]; p_sigma is the mixture blurred by N(0, sigma^2 I). */
  score(x: ArrayLike<number>, sigma?: number): Float64Array;
  /** log p_sigma at x, [n, 2] -> [n], p_sigma as for score. */
  logDensity(x: ArrayLike<number>, sigma?: number): Float64Array;
}

/** Adding N(0, sigma^2 I) adds sigma^2 to every variance, so one formula serves all noise levels. */
export function mixture(components: readonly Component[]): Mixture {
  /** log (weight N(x; mean, variance I)) of every component, and their log-sum-exp. */
  const logTerms = (x: number, y: number, sigma: number) => {
    const terms = components.map((c) => {
      const variance = c.sigma ** 2 + sigma ** 2;
      const distance = (x - c.mean[0]!) ** 2 + (y - c.mean[1]!) ** 2;
      return Math.log(c.weight / (2 * Math.PI * variance)) - distance / (2 * variance);
    });
    const most = Math.max(...terms);
    return { terms, total: most + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - most), 0)) };
  };

  return {
    components,

    draw(r) {
      let left = r.uniform();
      const chosen = components.find((c) => (left -= c.weight) < 0) ?? components.at(-1)!;
      return [chosen.mean[0]! + chosen.sigma * r.normal(), chosen.mean[1]! + chosen.sigma * r.normal()];
    },

    score(points, sigma = 0) {
      const out = new Float64Array(points.length);
      for (let i = 0; i < points.length; i += 2) {
        const [x, y] = [points[i]!, points[i + 1]!];
        const { terms, total } = logTerms(x, y, sigma);
        components.forEach((c, k) => {
          const pull = Math.exp(terms[k]! - total) / (c.sigma ** 2 + sigma ** 2); // responsibility / variance
          out[i]! += pull * (c.mean[0]! - x);
          out[i + 1]! += pull * (c.mean[1]! - y);
        });
      }
      return out;
    },

    logDensity(points, sigma = 0) {
      return Float64Array.from(
        { length: points.length / 2 },
        (_, i) => logTerms(points[2 * i]!, points[2 * i + 1]!, sigma).total,
      );
    },
  };
}
