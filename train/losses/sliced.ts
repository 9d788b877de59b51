import { UsageError } from "../../engine/errors.ts";
import { add, mul, scale, square, sumEach } from "../../engine/ops/index.ts";
import { sameShape, showShape } from "../../engine/shapes.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { halfSquares, type ImplicitTerms, implicitLoss, type ScoreAt, withSlopes } from "./implicit.ts";

export interface SlicedOptions {
  /** Vectors v of x's shape, one or several for each sample: see `projections`. */
  vectors: readonly Tensor[];
  /** |s|^2 / 2 in place of (v . s)^2 / 2, whose mean it is where E[v v^T] = I; on unless told. */
  varianceReduction?: boolean;
}

/**
 * Sliced score matching: the mean over x [n,...] and the vectors v of v . (ds/dx) v + (v . s)^2 / 2, or with variance
 * reduction + |s|^2 / 2. Song et al. 2019, "Sliced score matching", equations 7 and 8. One forward pass, and for each
 * vector a backward pass that is differentiated again. With vectors of unit length and without variance reduction, as
 * published, it is 1/D of that. -> []. Throws UsageError for vectors of another shape than x's and for none.
 */
export function slicedLoss(score: ScoreAt, x: Tensor, options: SlicedOptions): Tensor {
  return x.engine.scope(() => implicitLoss(slicedTerms(score, x, options)));
}

/** The terms of `slicedLoss`, by sample. Throws as it does. */
export function slicedTerms(
  score: ScoreAt,
  x: Tensor,
  { vectors, varianceReduction = true }: SlicedOptions,
): ImplicitTerms {
  const misfit = vectors.find((v) => !sameShape(v.shape, x.shape));
  if (misfit || vectors.length === 0)
    throw new UsageError(
      `sliced: got vectors ${misfit ? showShape(misfit.shape) : "none"} for x ${showShape(x.shape)}, expected some of its shape`,
    );
  return withSlopes(score, x, (s, slope) => {
    const along = vectors.map((v) => mul(s, v));
    const divergences = vectors.map((v, i) => sumEach(mul(v, slope(along[i]!))));
    const norm = varianceReduction
      ? halfSquares(s)
      : meanOf(along.map((product) => scale(square(sumEach(product)), 0.5)));
    return { norm, divergence: meanOf(divergences) };
  });
}

const meanOf = (terms: readonly Tensor[]): Tensor =>
  scale(
    terms.reduce((total, term) => add(total, term)),
    1 / terms.length,
  );
