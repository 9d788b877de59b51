/** Densities in closed form at every time of a diffusion: what probability flows can be held against. */

import { mixtureInOps } from "../../bench/figures/mixture-in-ops.ts";
import type { Engine } from "../../engine/engine.ts";
import { add, div, matmul, mul, reshape, square, sub } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { asScore, type ScoreFunction, type Sde } from "../../samplers/index.ts";

/** A density on D-vectors whose score at time t is told t itself. */
export interface Diffused extends Disposable {
  readonly score: ScoreFunction;
  /** log density at time t of rows of D numbers, in nats. */
  logDensity(x: ArrayLike<number>, t: number): number[];
}

export interface Gaussian {
  readonly mean: readonly number[];
  /** Orthonormal, by rows. */
  readonly axes: readonly (readonly number[])[];
  /** Along each axis. */
  readonly variances: readonly number[];
}

export interface DiffusedGaussian extends Diffused {
  /** Where the probability flow takes rows from time `from` to time `to`. */
  flow(x: ArrayLike<number>, from: number, to: number): number[];
  /** log |dx(to) / dx(from)|, the same everywhere. */
  logVolume(from: number, to: number): number;
}

/** N(mean, axes^T diag(variances) axes): along each axis the flow keeps what counts standard deviations. */
export function diffusedGaussian(
  engine: Engine,
  sde: Sde,
  { mean, axes, variances }: Gaussian,
): DiffusedGaussian {
  const d = mean.length;
  const constants = [mean, axes.flat(), axes[0]!.flatMap((_, i) => axes.map((row) => row[i]!)), variances];
  const [m, rows, columns, v] = constants.map((values) =>
    engine.untrack(engine.tensor(values, values.length === d ? [1, d] : [d, d])),
  ) as [Tensor, Tensor, Tensor, Tensor];
  const spread = (t: number) => {
    const { alpha, std } = sde.marginalAt(t);
    return variances.map((value) => Math.sqrt(alpha ** 2 * value + std ** 2));
  };
  const along = (x: readonly number[], t: number) =>
    axes.map((axis) =>
      axis.reduce((total, a, i) => total + a * (x[i]! - sde.marginalAt(t).alpha * mean[i]!), 0),
    );
  return {
    score: asScore((x, t) => {
      const { alpha, std } = sde.marginal(reshape(t, [-1, 1]));
      const away = matmul(sub(x, mul(alpha, m)), columns); // along the axes
      return mul(matmul(div(away, add(mul(square(alpha), v), square(std))), rows), -1);
    }),
    logDensity: (x, t) =>
      rowsOf(x, d).map((row) => {
        const scales = spread(t);
        return along(row, t).reduce((total, a, i) => total + logNormal(a, scales[i]! ** 2), 0);
      }),
    flow(x, from, to) {
      const [before, after] = [spread(from), spread(to)];
      return rowsOf(x, d).flatMap((row) => {
        const moved = along(row, from).map((a, i) => (a * after[i]!) / before[i]!);
        return mean.map((c, i) =>
          axes.reduce((total, axis, k) => total + axis[i]! * moved[k]!, sde.marginalAt(to).alpha * c),
        );
      });
    },
    logVolume(from, to) {
      const before = spread(from);
      return spread(to).reduce((total, s, i) => total + Math.log(s / before[i]!), 0);
    },
    [Symbol.dispose]: () => [m, rows, columns, v].forEach((t) => void t.dispose()),
  };
}

export interface RoundPart {
  readonly weight: number;
  readonly mean: readonly number[];
  readonly sigma: number;
}

/** A mixture of round Gaussians. */
export function diffusedMixture(engine: Engine, sde: Sde, parts: readonly RoundPart[]): Diffused {
  const d = parts[0]!.mean.length;
  const law = mixtureInOps(engine, {
    weights: parts.map((p) => p.weight),
    means: parts.flatMap((p) => p.mean),
    stds: parts.map((p) => p.sigma),
  });
  return {
    score: asScore((x, t) => {
      const { alpha, std } = sde.marginal(t);
      return law.score(x, { a: alpha, v: square(std) });
    }),
    logDensity(x, t) {
      const { alpha, std } = sde.marginalAt(t);
      return rowsOf(x, d).map((row) => {
        const terms = parts.map(({ weight, mean, sigma }) => {
          const variance = (alpha * sigma) ** 2 + std ** 2;
          return row.reduce(
            (total, a, i) => total + logNormal(a - alpha * mean[i]!, variance),
            Math.log(weight),
          );
        });
        const top = Math.max(...terms);
        return top + Math.log(terms.reduce((total, term) => total + Math.exp(term - top), 0));
      });
    },
    [Symbol.dispose]: () => law[Symbol.dispose](),
  };
}

const logNormal = (away: number, variance: number): number =>
  -0.5 * (away ** 2 / variance + Math.log(2 * Math.PI * variance));

export const rowsOf = (x: ArrayLike<number>, d: number): number[][] =>
  Array.from({ length: x.length / d }, (_, n) => Array.from({ length: d }, (_, i) => x[n * d + i]!));
