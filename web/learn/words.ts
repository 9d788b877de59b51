import type { FisherDivergence } from "../../bench/figures/fisher.ts";
import type { Truth } from "./session.ts";

interface Described {
  readonly set: string;
  readonly sigma: number;
  readonly steps: number;
  /** The learned score on the grid, [n,2]. */
  readonly learned: ArrayLike<number>;
  readonly truth: Truth;
  readonly divergence: FisherDivergence | undefined;
  /** Where they are in the picture. */
  readonly particles: ArrayLike<number> | undefined;
}

/** The picture in a sentence or three, for those who do not see it. */
export function describe({ set, sigma, steps, learned, truth, divergence, particles }: Described): string {
  const aligned = alignment(learned, truth.onGrid);
  return [
    `${set}, blurred by sigma ${Number(sigma.toPrecision(3))}, after ${steps} steps.`,
    `${percent(aligned)} of the learned arrows point within 30 degrees of the true score.`,
    ...(divergence
      ? [`Their relative Fisher divergence is ${Number(divergence.relative.mean.toPrecision(2))}.`]
      : []),
    ...(particles
      ? [
          `${percent(near(particles, truth.points, 2 * sigma))} of the particles lie within two sigma of points.`,
        ]
      : []),
  ].join(" ");
}

/** The share of vectors [n,2] that point within 30 degrees of others. */
export function alignment(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [within, all] = [0, 0];
  for (let i = 0; i < a.length; i += 2) {
    const lengths = Math.hypot(a[i]!, a[i + 1]!) * Math.hypot(b[i]!, b[i + 1]!);
    if (!(lengths > 0 && Number.isFinite(lengths))) continue;
    all++;
    if (a[i]! * b[i]! + a[i + 1]! * b[i + 1]! > Math.cos(Math.PI / 6) * lengths) within++;
  }
  return all === 0 ? 0 : within / all;
}

/** The share of points [n,2] that have one of others [m,2] within a distance. */
export function near(points: ArrayLike<number>, others: ArrayLike<number>, distance: number): number {
  let close = 0;
  for (let i = 0; i < points.length; i += 2)
    for (let k = 0; k < others.length; k += 2)
      if (Math.hypot(points[i]! - others[k]!, points[i + 1]! - others[k + 1]!) < distance) {
        close++;
        break;
      }
  return points.length === 0 ? 0 : (2 * close) / points.length;
}

const percent = (share: number): string => `${Math.round(100 * share)} %`;
