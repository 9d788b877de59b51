import { type CastType, cast as kernel } from "../../kernels/cast.ts";
import { UsageError } from "../errors.ts";
import { defineOp } from "../op.ts";
import { truncate } from "../oracle/cast.ts";
import type { Tensor } from "../tensor.ts";

const op = defineOp<{ from: CastType; to: CastType }>({
  name: "cast",
  forward: (engine, [x], variant) => {
    const y = engine.empty(x!.shape, variant.to);
    engine.launchLinear(kernel, variant, { x: x!, y }, {}, x!.size);
    return y;
  },
  vjp: () => [undefined],
  oracle: ([x], { to }) => (to === "i32" ? truncate(x!) : x!),
});

/**
 * x in another dtype, of any shape; x itself when it has that dtype. Whole numbers go to the nearest float32, floats
 * towards 0, of which those past the 32 bits end at the nearest that fits. The derivative counts as 0. Throws
 * UsageError for u32.
 */
export function cast(x: Tensor, to: CastType): Tensor {
  if (x.dtype === to) return x;
  if (x.dtype === "u32") throw new UsageError("cast: got dtype u32, expected f32 or i32");
  return op(x.engine, [x], { from: x.dtype, to });
}
