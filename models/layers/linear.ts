import { conv2d, matmul, reshape, transpose } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";
import { Module } from "../module.ts";
import { drawBias, drawWeight, type WeightOptions } from "./weights.ts";

/** Linear layer: x [n,in] -> [n,out]. */
export class Linear extends Module<[x: Tensor], Tensor> {
  readonly weight: Tensor;
  readonly bias?: Tensor;

  constructor(init: Init, inFeatures: number, outFeatures: number, options: WeightOptions = {}) {
    super();
    this.weight = drawWeight(init, [outFeatures, inFeatures], options);
    this.bias = drawBias(init, outFeatures, inFeatures, options);
  }

  forward(x: Tensor): Tensor {
    return matmul(x, this.weight, { transposeB: true, bias: this.bias });
  }
}

/** Network in network: the same linear layer at every pixel. x [n,in,h,w] -> [n,out,h,w]; W is [in,out]. */
export class NIN extends Module<[x: Tensor], Tensor> {
  readonly W: Tensor;
  readonly b: Tensor;

  constructor(
    init: Init,
    inChannels: number,
    outChannels: number,
    { initScale = 0.1 }: { initScale?: number } = {},
  ) {
    super();
    this.W = init.variance([inChannels, outChannels], inChannels, outChannels, initScale);
    this.b = init.constant([outChannels], 0);
  }

  forward(x: Tensor): Tensor {
    const [inChannels, outChannels] = this.W.shape as [number, number];
    const weight = reshape(transpose(this.W), [outChannels, inChannels, 1, 1]);
    return conv2d(x, weight, this.b);
  }
}
