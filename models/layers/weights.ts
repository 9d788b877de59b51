import { shapeSize } from "../../engine/shapes.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";

export interface WeightOptions {
  /**
   * Variance scaling with this factor and a bias of zeros, as the 2021 networks start (0 counts as 1e-10).
   * PyTorch's default if absent: uniform, bound 1 / sqrt(fan in), as the NCSN of 2019 and 2020 start.
   */
  initScale?: number;
  bias?: boolean;
}

/** weight [out, in, ...kernel]. */
export function drawWeight(init: Init, shape: Shape, { initScale }: WeightOptions): Tensor {
  const [out, inputs, ...kernel] = shape as [number, number, ...number[]];
  const taps = shapeSize(kernel);
  return initScale === undefined
    ? init.fanIn(shape, inputs * taps)
    : init.variance(shape, inputs * taps, out * taps, initScale);
}

export function drawBias(
  init: Init,
  out: number,
  fanIn: number,
  { initScale, bias = true }: WeightOptions,
): Tensor | undefined {
  if (!bias) return undefined;
  return initScale === undefined ? init.fanIn([out], fanIn) : init.constant([out], 0);
}
