import { type CastType, cast as kernel } from "../../kernels/cast.ts";
import { vecsPerThread } from "../../kernels/lanewise.ts";
import { UsageError } from "../errors.ts";
import { defineOp } from "../op.ts";
import { truncate } from "../oracle/cast.ts";
import type { Tensor } from "../tensor.ts";

export type { CastType };

const op = defineOp<{ from: CastType; to: CastType }>({
  name: "cast",
  forward: (engine, [x], { from, to }) => {
    const y = engine.empty(x!.shape, to);
    const vecs = vecsPerThread(engine.hardware);
    engine.launchLinear(kernel, { from, to, vecs }, { x: x!, y }, {}, x!.size);
    return y;
  },
  vjp: () => [undefined],
  oracle: ([x], { to }) => (to === "i32" ? truncate(x!) : x!),
});

/** Between f32 and f16, which stand for the same numbers: gradients pass. */
const storeOp = defineOp<{ to: "f32" | "f16" }>({
  name: "store",
  forward: (engine, [x], { to }) => {
    const y = engine.empty(x!.shape, to);
    engine.copy(x!, y);
    return y;
  },
  vjp: ({ dy }) => [dy],
  oracle: ([x]) => x!,
});

/**
 * x in another dtype, of any shape; x itself when it has that dtype. Whole numbers go to the nearest float32, floats
 * towards 0, of which those past the 32 bits end at the nearest float32 that fits, and NaN anywhere. The derivative counts as 0, but between f32
 * and f16 it is 1. Throws UsageError for u32, and between f16 and i32.
 */
export function cast(x: Tensor, to: CastType | "f16"): Tensor {
  const { dtype } = x;
  if (to !== "f32" && to !== "f16" && to !== "i32")
    throw new UsageError(`cast: got dtype ${to} to cast to, expected f32, f16 or i32`);
  if (dtype === to) return x;
  if (dtype !== "i32" && dtype !== "u32" && to !== "i32") return storeOp(x.engine, [x], { to });
  if (dtype === "u32") throw new UsageError("cast: got dtype u32, expected f32 or i32");
  if (dtype === "f16" || to === "f16")
    throw new UsageError(`cast: got ${dtype} to ${to}, expected f32 on one side; cast to f32 first`);
  return op(x.engine, [x], { from: dtype, to });
}
