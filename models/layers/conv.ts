import { add, type ConvOptions, conv2d } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";
import { Module } from "../module.ts";
import { requireCounts } from "../require.ts";
import { drawBias, drawWeight, type WeightOptions } from "./weights.ts";

export interface Conv2dOptions extends WeightOptions, Omit<ConvOptions, "padding"> {
  /** Side of the square kernel, 3 unless told. */
  kernel?: number;
  /** Of both axes, 1 unless told. */
  dilation?: number;
  /** If absent dilation floor(kernel / 2), which keeps the size at stride 1 where the kernel is odd. */
  padding?: ConvOptions["padding"];
}

/** What a convolution's kernel adds on its way out: (conv + bias + shift + residual) rescale. */
export interface ConvInput {
  /** A bias for each sample, [n,out]: the time embedding of a residual block. */
  shift?: Tensor | undefined;
  /** Of the output's shape: the skip of a residual block. */
  residual?: Tensor | undefined;
  rescale?: number;
}

/** Convolution by a square kernel: x [n,in,h,w] -> [n,out,h',w']. Throws UsageError unless kernel and dilation are whole numbers from 1. */
export class Conv2d extends Module<[x: Tensor, input?: ConvInput], Tensor> {
  readonly weight: Tensor;
  readonly bias?: Tensor;
  readonly options: ConvOptions;

  constructor(init: Init, inChannels: number, outChannels: number, options: Conv2dOptions = {}) {
    super();
    const { kernel = 3, dilation = 1, stride = 1, padding = dilation * Math.floor(kernel / 2) } = options;
    requireCounts("Conv2d", { kernel, dilation });
    this.weight = drawWeight(init, [outChannels, inChannels, kernel, kernel], options);
    this.bias = drawBias(init, outChannels, inChannels * kernel * kernel, options);
    this.options = { stride, padding, dilation };
  }

  forward(x: Tensor, { shift, ...end }: ConvInput = {}): Tensor {
    const bias = shift && this.bias ? add(shift, this.bias) : (shift ?? this.bias);
    return conv2d(x, this.weight, bias, { ...this.options, ...end });
  }
}
