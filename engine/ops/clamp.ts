import type { ScalarLike } from "../scalar.ts";
import type { Tensor } from "../tensor.ts";
import { greaterEqual, lessEqual, maximum, minimum, mul } from "./binary.ts";
import { requireFloat, requireScalar } from "./require.ts";
import { where } from "./where.ts";

/**
 * x, of any shape, no smaller than `least` and no larger than `most`; NaN stays. The gradient is that of x from `least` to
 * `most`, both of them among it, and 0 outside, as in PyTorch. Throws UsageError for integers, and for bounds that are no numbers.
 */
export function clamp(x: Tensor, least: ScalarLike, most: ScalarLike): Tensor {
  requireFloat("clamp", x);
  for (const bound of [least, most]) requireScalar("clamp", bound);
  const inside = mul(greaterEqual(x, least), lessEqual(x, most));
  return where(inside, x, minimum(maximum(x.detach(), least), most));
}
