import { clipFactor } from "../../kernels/clip.ts";
import { squareSums, squareSumsOf } from "../../kernels/square-sums.ts";
import type { Engine } from "../engine.ts";
import { UsageError } from "../errors.ts";
import { concat, sum } from "../ops/index.ts";
import { reduceAxes } from "../ops/reduce.ts";
import type { Tensor } from "../tensor.ts";

/**
 * [factor, norm] on the device: the joint norm of all gradients and what to multiply them by, so that it is at most
 * maxNorm (absent: 1). The factor is -1 when the norm is not finite: `apply` then leaves the weights as they are.
 */
export function clipGradients(grads: readonly Tensor[], maxNorm = 3.4e38): Tensor {
  const [first] = grads;
  if (!first) throw new UsageError("clipGradients: got no gradients, expected at least one");
  const { engine } = first;
  return engine.noGrad(() =>
    engine.scope(() => {
      const squares = engine.hardware.kind === "gpu" ? inOneArray(engine, grads) : eachAlone(engine, grads);
      const factor = engine.empty([2]);
      engine.launch(clipFactor, {}, { squares: sum(squares), factor }, { maxNorm });
      return factor;
    }),
  );
}

/** The sum of the squares of each tensor. */
const eachAlone = (engine: Engine, grads: readonly Tensor[]): Tensor =>
  concat(
    grads.map((g) => {
      const axes = g.shape.map((_, i) => i);
      return engine.track(reduceAxes(engine, "sumSquares", g, axes).alias([1]));
    }),
    0,
  );

/** Those of their parts, by one launch for each tensor. */
function inOneArray(engine: Engine, grads: readonly Tensor[]): Tensor {
  const counts = grads.map((g) => squareSumsOf(g.size));
  const sums = engine.track(engine.empty([counts.reduce((total, count) => total + count, 0)]));
  let at = 0;
  grads.forEach((x, i) => {
    engine.launch(squareSums, {}, { x, sums }, { count: x.size, at });
    at += counts[i]!;
  });
  return sums;
}
