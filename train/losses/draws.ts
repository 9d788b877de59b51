import { cast, scale } from "../../engine/ops/index.ts";
import { type DrawSource, rand, randn } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";

/** The random numbers of a loss in continuous time. */
export interface TimeDraws {
  /** Uniform on [0, 1), [n]: where in time each sample stands. */
  readonly u: Tensor;
  /** Standard normal, x's shape. */
  readonly z: Tensor;
}

/** The random numbers of a loss over numbered noise scales. */
export interface LabelDraws {
  /** Whole numbers below the number of scales, [n] (i32). */
  readonly labels: Tensor;
  /** Standard normal, x's shape. */
  readonly z: Tensor;
}

/** Draws for images x [n,...]. */
export const timeDraws = (x: Tensor, source: DrawSource): TimeDraws => ({
  u: uniform(x, source),
  z: noise(x, source),
});

/** Draws for images x [n,...] and so many noise scales, fewer than 2^24. */
export const labelDraws = (x: Tensor, count: number, source: DrawSource): LabelDraws => ({
  labels: cast(scale(uniform(x, source), count), "i32"),
  z: noise(x, source),
});

/** Uniform on [0, 1), [n]: where in time, or on a ladder, each of the samples x [n,...] stands. */
export const uniform = (x: Tensor, source: DrawSource): Tensor =>
  rand(x.engine, [x.dim(0)], { ...source, purpose: "labels" });

const noise = (x: Tensor, source: DrawSource): Tensor =>
  randn(x.engine, x.shape, { ...source, purpose: "perturb" });
