import type { ReduceName } from "../../kernels/reduce.ts";
import { defineOp } from "../op.ts";
import * as oracle from "../oracle/reduce.ts";
import { normalAxes, reducedShape } from "../shapes.ts";
import type { Tensor } from "../tensor.ts";
import { div, equal, mul } from "./binary.ts";
import { broadcastTo, type ReduceOptions, reduceAxes, reshape, sum } from "./reduce.ts";
import { requireFloat } from "./require.ts";

function define(name: Extract<ReduceName, "max" | "min">) {
  const op = defineOp<{ axes: readonly number[]; keepDims: boolean }>({
    name,
    forward: (engine, [x], { axes, keepDims }) =>
      engine.track(
        engine.noGrad(() => reduceAxes(engine, name, x!, axes)).alias(reducedShape(x!.shape, axes, keepDims)),
      ),
    vjp: ({ inputs, y, dy, attrs: { axes } }) => {
      const x = inputs[0]!;
      const wide = reducedShape(x.shape, axes, true);
      const hit = equal(x, broadcastTo(reshape(y!, wide), x.shape));
      const share = div(reshape(dy, wide), sum(hit, { axis: axes, keepDims: true }));
      return [mul(hit, share)];
    },
    saves: { inputs: [0], output: true },
    oracle: ([x], { axes, keepDims }) => oracle[name](x!, axes, keepDims),
  });
  return (x: Tensor, { axis, keepDims = false }: ReduceOptions = {}): Tensor => {
    requireFloat(name, x);
    return op(x.engine, [x], { axes: normalAxes(name, x.shape, axis), keepDims });
  };
}

/** Largest element over axes; ties share the gradient. Shapes and what it throws are sum's. */
export const max = define("max");
/** Smallest element over axes, as max. */
export const min = define("min");
