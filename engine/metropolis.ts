import { metropolis as kernel } from "../kernels/metropolis.ts";
import { blockVariant } from "../kernels/random.ts";
import { requireApart } from "./apart.ts";
import { UsageError } from "./errors.ts";
import { type DrawSource, drawNumbers } from "./random.ts";
import { sameShape, showShape } from "./shapes.ts";
import type { Tensor } from "./tensor.ts";

/**
 * Metropolis' rule, sample by sample and in place: x [n,...] becomes the proposal y [n,...] with probability
 * min(1, exp(logRatio)), logRatio [n]. Calls with the same draw decide alike, so that what belongs to a state moves with
 * it. A ratio of NaN refuses the proposal. Throws UsageError when the shapes do not fit, and where x shares its memory with
 * another.
 */
export function metropolis(x: Tensor, y: Tensor, logRatio: Tensor, draw: DrawSource): void {
  if (!sameShape(x.shape, y.shape) || logRatio.rank !== 1 || logRatio.dim(0) !== x.dim(0))
    throw new UsageError(
      `metropolis: got x ${showShape(x.shape)}, y ${showShape(y.shape)} and logRatio ${showShape(logRatio.shape)}, ` +
        `expected two [n,...] of one shape and [n]`,
    );
  requireApart("metropolis", { x }, { y, logRatio });
  const numbers = drawNumbers(x.shape, { ...draw, purpose: "accept" });
  x.engine.launch(kernel, blockVariant(x.engine.hardware, numbers.sampleSize), { x, y, logRatio }, numbers);
}
