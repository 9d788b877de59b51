import { UsageError } from "../../engine/errors.ts";
import { add, narrow, reshape } from "../../engine/ops/index.ts";
import { showShape } from "../../engine/shapes.ts";
import type { Tensor } from "../../engine/tensor.ts";
import {
  flatten,
  halfSquares,
  type ImplicitTerms,
  implicitLoss,
  type ScoreAt,
  withSlopes,
} from "./implicit.ts";

/** Elements of a sample, at most: each takes a backward pass that is differentiated again. */
const MOST_ELEMENTS = 256;

/**
 * Explicit score matching: the mean over x [n,...] of tr(ds/dx) + |s|^2 / 2, the trace summed up exactly from one backward
 * pass for each of a sample's D elements, all through one forward pass. Hyvärinen 2005, theorem 1. -> []. Throws
 * UsageError for samples of more than 256 elements.
 */
export function hyvarinenLoss(score: ScoreAt, x: Tensor): Tensor {
  return x.engine.scope(() => implicitLoss(hyvarinenTerms(score, x)));
}

/** The terms of `hyvarinenLoss`, by sample. Throws as it does. */
export function hyvarinenTerms(score: ScoreAt, x: Tensor): ImplicitTerms {
  const dimensions = x.size / x.dim(0);
  if (dimensions > MOST_ELEMENTS)
    throw new UsageError(
      `hyvarinen: got x ${showShape(x.shape)}, samples of ${dimensions} elements, expected at most ${MOST_ELEMENTS}, ` +
        "for each takes a backward pass; take sliced score matching, ssm-vr",
    );
  return withSlopes(score, x, (s, slope) => {
    const rows = flatten(s); // [n,D]
    const diagonal = Array.from({ length: dimensions }, (_, i) => {
      const row = slope(narrow(rows, 1, i, 1)); // summed over the batch: the samples do not mix
      return narrow(flatten(row), 1, i, 1); // [n,1]
    });
    const trace = diagonal.reduce((total, term) => add(total, term));
    return { norm: halfSquares(s), divergence: reshape(trace, [-1]) };
  });
}
