import { binaryScalar } from "../../kernels/binary.ts";
import { vecsPerThread } from "../../kernels/lanewise.ts";

import { defineOp } from "../op.ts";
import { scalar } from "../oracle/array.ts";
import { applyBinary } from "../oracle/binary.ts";
import { numberOf, type ScalarLike } from "../scalar.ts";
import type { Tensor } from "../tensor.ts";
import { requireFloat, requireScalar } from "./require.ts";

const op = defineOp<{ s: ScalarLike }>({
  name: "scale",
  forward: (engine, [x], { s }) => {
    const z = engine.empty(x!.shape);
    engine.launchLinear(
      binaryScalar,
      { op: "mul", vecs: vecsPerThread(engine.hardware) },
      { x: x!, z },
      { s },
      x!.size,
    );
    return z;
  },
  vjp: ({ dy, attrs }) => [scale(dy, attrs.s)],
  oracle: ([x], { s }) => applyBinary("mul", x!, scalar(numberOf(s))),
});

/** s x with a host number s. Any shape. */
export function scale(x: Tensor, s: ScalarLike): Tensor {
  requireFloat("scale", x);
  requireScalar("scale", s);
  return op(x.engine, [x], { s });
}
