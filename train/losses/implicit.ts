import { grad } from "../../engine/autograd.ts";
import { add, mean, mul, reshape, square, sum, sumEach } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";

/** A score at one noise scale: x [n,...] -> x's shape. A sample's score must depend on that sample alone. */
export type ScoreAt = (x: Tensor) => Tensor;

/**
 * What implicit score matching asks of a score s at each sample, [n] each. The mean of their sum is, but for a constant,
 * half the mean of |s - grad log p|^2, without a target: Hyvärinen 2005.
 */
export interface ImplicitTerms {
  /** |s|^2 / 2. */
  readonly norm: Tensor;
  /** The trace of ds/dx. */
  readonly divergence: Tensor;
}

/** How the terms are found: exactly, or along random vectors. */
export type ImplicitMatching = (score: ScoreAt, x: Tensor) => ImplicitTerms;

/** The mean over the samples of weight (norm + divergence), with a weight [n] or none. -> [] */
export function implicitLoss({ norm, divergence }: ImplicitTerms, weight?: Tensor): Tensor {
  const each = add(norm, divergence);
  return mean(weight ? mul(each, weight) : each);
}

/**
 * What `fn` makes of the score at x and of derivatives there: slope(y) is d(sum of y)/dx, which can be differentiated again
 * while the engine records. All in a scope.
 */
export function withSlopes(
  score: ScoreAt,
  x: Tensor,
  fn: (s: Tensor, slope: (y: Tensor) => Tensor) => ImplicitTerms,
): ImplicitTerms {
  const { engine } = x;
  const createGraph = engine.recording;
  return engine.scope(() =>
    engine.withGrad(() => {
      const at = engine.track(engine.asVariable(x.detach()));
      return fn(score(at), (y) => grad(sum(y), [at], { createGraph, retainGraph: true })[0]!);
    }),
  );
}

/** x [n,...] -> [n,D]. */
export const flatten = (x: Tensor): Tensor => reshape(x, [x.dim(0), -1]);

/** |s|^2 / 2 of each sample. s [n,...] -> [n] */
export const halfSquares = (s: Tensor): Tensor => mul(sumEach(square(s)), 0.5);
