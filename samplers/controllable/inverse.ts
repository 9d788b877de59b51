import type { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import { add, scale, sub } from "../../engine/ops/index.ts";
import { sameShape, showShape } from "../../engine/shapes.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import type { PredictorCorrectorResult } from "../pc.ts";
import type { ScoreFunction } from "../score.ts";
import { type HeldOptions, heldSampling } from "./held.ts";
import { finite, requireValues } from "./require.ts";

/** A linear observation y = A x of each sample for itself. */
export interface Operator {
  readonly name: string;
  /** A: x [n,...] -> y [n,...]. Linear, with no constant term. Throws UsageError for x of a shape it does not know. */
  apply(x: Tensor): Tensor;
  /**
   * B: a residual in y's shape -> the change of x that answers for it. Best the pseudo-inverse of A, with which
   * x + B (y - A x) is the nearest to x that has the observation y. Any other must leave alone what A does not see, and
   * have eigenvalues of A B from 0 to 1, as the transpose where |A| <= 1: what belongs to those below 1 is approached
   * from update to update. Above 2 sampling diverges.
   */
  answer(residual: Tensor): Tensor;
}

export interface InverseOptions extends HeldOptions {
  /** y, of the shape that the operator gives for the samples, and finite. */
  observed: Tensor;
  operator: Operator;
}

/**
 * Samples of which an observation y = A x_0 is known: after each update x <- x + B (y(t) - A x) with y(t) =
 * alpha(t) y + std(t) A z, what would be observed of a noisy x_t. Song et al. 2021, section 5 and appendix I.4, for
 * linear observations without noise of their own; inpainting is the case of a mask. Biased as all replacement is:
 * figures at `heldSampling`. x [n,...] is the caller's to dispose. Throws UsageError for an observation of another shape
 * than the operator's or that is not finite, for an answer of another shape than the samples, and for whatever
 * `predictorCorrector` refuses.
 */
export async function solveInverse(
  engine: Engine,
  score: ScoreFunction,
  shape: Shape,
  { observed, operator, ...options }: InverseOptions,
): Promise<PredictorCorrectorResult> {
  requireOperator(engine, operator, observed, shape);
  await requireValues("solveInverse", "observed", observed, finite);
  return heldSampling("solveInverse", engine, score, shape, options, (x, alpha, noise) => {
    const seen = operator.apply(noise ? sub(x, noise) : x);
    return add(x, operator.answer(sub(scale(observed, alpha), seen)));
  });
}

function requireOperator(engine: Engine, operator: Operator, observed: Tensor, shape: Shape): void {
  engine.dry(() => {
    const y = operator.apply(engine.zeros(shape));
    if (!sameShape(y.shape, observed.shape))
      throw new UsageError(
        `solveInverse: got observed ${showShape(observed.shape)}, expected ${showShape(y.shape)}, ` +
          `what ${operator.name} gives for samples ${showShape(shape)}`,
      );
    const change = operator.answer(y);
    if (!sameShape(change.shape, shape))
      throw new UsageError(
        `solveInverse: got an answer ${showShape(change.shape)} of ${operator.name}, expected ${showShape(shape)}, the samples' shape`,
      );
  });
}
