import { add, exp, floor, mul, sub } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";

const HALF = 4096; // splits 24 bits in two

/**
 * exp(rate t) for times t [n] in [0, 1], to the rounding of exp itself: the product in float32 alone would be off by
 * 4e-7 where rate is 8, which Fourier features of log sigma multiply by hundreds. Both factors are split in halves whose
 * leading product is exact.
 */
export function expOf(rate: number, t: Tensor): Tensor {
  const scale = HALF / 2 ** Math.ceil(Math.log2(Math.abs(rate)));
  const leading = Math.round(rate * scale) / scale;
  const coarse = mul(floor(mul(t, HALF)), 1 / HALF);
  const rest = add(mul(coarse, rate - leading), mul(sub(t, coarse), rate));
  return mul(exp(mul(coarse, leading)), exp(rest));
}
