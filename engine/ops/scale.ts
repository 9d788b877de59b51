import type { ScalarLike } from "../scalar.ts";
import type { Tensor } from "../tensor.ts";
import { type ByNumberSpec, byNumber } from "./by-number.ts";
import { requireFloat, requireScalar } from "./require.ts";

/** s x, whose derivative needs no x. */
export const scaling: ByNumberSpec = { rule: ({ dz, s }) => scale(dz, s) };
const op = byNumber("mul", scaling);

/** s x with a host number s. Any shape. Throws UsageError for integers, and for an s that is no number. */
export function scale(x: Tensor, s: ScalarLike): Tensor {
  requireFloat("scale", x);
  requireScalar("scale", s);
  return op(x.engine, [x], { s });
}
