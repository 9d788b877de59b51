import { clipFactor } from "../../kernels/clip.ts";
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
      const squares = grads.map((g) =>
        engine.track(
          reduceAxes(
            engine,
            "sumSquares",
            g,
            g.shape.map((_, i) => i),
          ).alias([1]),
        ),
      );
      const factor = engine.empty([2]);
      engine.launch(clipFactor, {}, { squares: sum(concat(squares, 0)), factor }, { maxNorm });
      return factor;
    }),
  );
}
