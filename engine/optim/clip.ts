import { clipFactor } from "../../kernels/clip.ts";
import { squareSums, squareSumsOf, squareSumsVariant } from "../../kernels/square-sums.ts";
import type { Engine } from "../engine.ts";
import { UsageError } from "../errors.ts";
import { sum } from "../ops/index.ts";
import type { Tensor } from "../tensor.ts";

/**
 * [factor, norm] on the device: the joint norm of all gradients and what to multiply them by, so that it is at most
 * maxNorm (absent: 1), a positive number. The factor is -1 when the norm is not finite: `apply` then leaves the weights as they are.
 */
export function clipGradients(grads: readonly Tensor[], maxNorm = 3.4e38): Tensor {
  const [first] = grads;
  if (!first) throw new UsageError("clipGradients: got no gradients, expected at least one");
  if (!(maxNorm > 0))
    throw new UsageError(`clipGradients: got maxNorm ${maxNorm}, expected a positive number`);
  const { engine } = first;
  return engine.noGrad(() =>
    engine.scope(() => {
      const factor = engine.empty([2]);
      engine.launch(clipFactor, {}, { squares: sum(squaresOf(engine, grads)), factor }, { maxNorm });
      return factor;
    }),
  );
}

/** The sums of the squares of the tensors' parts, by one launch for each tensor. */
function squaresOf(engine: Engine, grads: readonly Tensor[]): Tensor {
  const variant = squareSumsVariant(engine.hardware);
  const counts = grads.map((g) => squareSumsOf(g.size, variant));
  const sums = engine.track(engine.empty([counts.reduce((total, count) => total + count, 0)]));
  let at = 0;
  grads.forEach((x, i) => {
    engine.launch(squareSums, variant, { x, sums }, { count: x.size, at });
    at += counts[i]!;
  });
  return sums;
}
