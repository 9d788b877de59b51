import { add, type ConvOptions, conv2d, matmul, reshape, transpose } from "../../engine/ops/index.ts";
import { shapeSize } from "../../engine/shapes.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";
import { Module } from "../module.ts";

export interface WeightOptions {
  /**
   * Variance scaling with this factor and a bias of zeros, as the 2021 networks start (0 counts as 1e-10).
   * PyTorch's default if absent: uniform, bound 1 / sqrt(fan in), as the NCSN of 2019 and 2020 start.
   */
  initScale?: number;
  bias?: boolean;
}

export interface Conv2dOptions extends WeightOptions, Omit<ConvOptions, "padding"> {
  /** Side of the kernel, 3 unless told. */
  kernel?: number;
  dilation?: number;
  /** What keeps the size at stride 1 if absent. */
  padding?: ConvOptions["padding"];
}

/** Convolution: x [n,in,h,w] -> [n,out,h',w']. */
export class Conv2d extends Module<[x: Tensor], Tensor> {
  readonly weight: Tensor;
  readonly bias?: Tensor;
  readonly options: ConvOptions;

  constructor(init: Init, inChannels: number, outChannels: number, options: Conv2dOptions = {}) {
    super();
    const { kernel = 3, dilation = 1, stride = 1, padding = dilation * Math.floor(kernel / 2) } = options;
    this.weight = drawWeight(init, [outChannels, inChannels, kernel, kernel], options);
    this.bias = drawBias(init, outChannels, inChannels * kernel * kernel, options);
    this.options = { stride, padding, dilation };
  }

  forward(x: Tensor): Tensor {
    return conv2d(x, this.weight, this.bias, this.options);
  }
}

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
    const y = matmul(x, this.weight, { transposeB: true });
    return this.bias ? add(y, this.bias) : y;
  }
}

/** Network in network: the same linear layer at every pixel. x [n,in,h,w] -> [n,out,h,w]; W is [in,out]. */
export class NIN extends Module<[x: Tensor], Tensor> {
  readonly W: Tensor;
  readonly b: Tensor;

  constructor(init: Init, inChannels: number, outChannels: number, { initScale = 0.1 }: { initScale?: number } = {}) {
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

/** weight [out, in, ...kernel]. */
function drawWeight(init: Init, shape: readonly number[], { initScale }: WeightOptions): Tensor {
  const [out, inputs, ...kernel] = shape as [number, number, ...number[]];
  const taps = shapeSize(kernel);
  return initScale === undefined
    ? init.fanIn(shape, inputs * taps)
    : init.variance(shape, inputs * taps, out * taps, initScale);
}

function drawBias(init: Init, out: number, fanIn: number, { initScale, bias = true }: WeightOptions): Tensor | undefined {
  if (!bias) return undefined;
  return initScale === undefined ? init.fanIn([out], fanIn) : init.constant([out], 0);
}
