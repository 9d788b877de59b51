import { add, div, mean, mul, reshape, sqrt, square, sub, sum } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { type ActivationName, activation } from "./activation.ts";

const EPS = 1e-5;

/** A value for each channel [c] or each sample's channel [n,c], to meet [n,c,h,w]. */
export const perChannel = (t: Tensor): Tensor => reshape(t, [...t.shape, 1, 1]);

/**
 * gamma x / sqrt(var + eps), var the unbiased variance of a map; the mean stays. x [n,c,h,w], gamma [c] or [n,c].
 * Song & Ermon's code (2020); a map of one pixel has no variance and gives NaN, as there.
 */
export function varianceNorm(x: Tensor, gamma: Tensor, act?: ActivationName): Tensor {
  const maps = { axis: [2, 3], keepDims: true };
  const squares = sum(square(sub(x, mean(x, maps))), maps);
  const variance = div(squares, x.dim(2) * x.dim(3) - 1);
  const y = mul(x, div(perChannel(gamma), sqrt(add(variance, EPS)))); // [n,c,h,w] [n,c,1,1]
  return act ? activation(y, act) : y;
}
