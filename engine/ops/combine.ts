import { combine as kernel, MOST_TERMS } from "../../kernels/combine.ts";
import { range } from "../../kernels/kernel.ts";
import { vecsPerThread } from "../../kernels/lanewise.ts";
import { UsageError } from "../errors.ts";
import { defineOp } from "../op.ts";
import * as oracle from "../oracle/combine.ts";
import { numberOf, type ScalarLike } from "../scalar.ts";
import { sameShape, showShape } from "../shapes.ts";
import type { Tensor } from "../tensor.ts";
import { requireFloat } from "./require.ts";
import { scale } from "./scale.ts";

const op = defineOp<{ factors: readonly ScalarLike[] }>({
  name: "combine",
  forward: (engine, [x, ...terms], { factors }) => {
    const y = engine.empty(x!.shape);
    const arrays = Object.fromEntries(terms.map((k, j) => [`k${j}`, k!]));
    const params = Object.fromEntries(range(MOST_TERMS).map((j) => [`c${j}`, factors[j] ?? 0]));
    engine.launchLinear(
      kernel,
      { terms: terms.length, vecs: vecsPerThread(engine.hardware) },
      { x: x!, ...arrays, y },
      params as Record<"c0" | "c1" | "c2" | "c3" | "c4" | "c5", ScalarLike>,
      x!.size,
    );
    return y;
  },
  vjp: ({ dy, wants, attrs: { factors } }) => [
    dy,
    ...factors.map((c, j) => (wants[j + 1] ? scale(dy, c) : undefined)),
  ],
  oracle: ([x, ...terms], { factors }) =>
    oracle.combine(
      x!,
      terms.map((k) => k!),
      factors.map(numberOf),
    ),
});

/**
 * x + c_1 k_1 + c_2 k_2 + ... of one to six terms [c, k], all of x's shape, in one kernel: a stage of a Runge-Kutta
 * method. Throws UsageError for another number of terms and for shapes that differ.
 */
export function combine(x: Tensor, terms: readonly (readonly [c: ScalarLike, k: Tensor])[]): Tensor {
  if (terms.length < 1 || terms.length > MOST_TERMS)
    throw new UsageError(`combine: got ${terms.length} terms, expected 1 to ${MOST_TERMS}`);
  const other = terms.find(([, k]) => !sameShape(k.shape, x.shape));
  if (other)
    throw new UsageError(
      `combine: got x ${showShape(x.shape)} with a term ${showShape(other[1].shape)}, expected one shape`,
    );
  const tensors = [x, ...terms.map(([, k]) => k)];
  for (const t of tensors) requireFloat("combine", t);
  return op(x.engine, tensors, { factors: terms.map(([c]) => c) });
}
