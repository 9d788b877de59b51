import type { Engine } from "../engine/engine.ts";
import { conv2d, type Pair, relu } from "../engine/ops/index.ts";
import type { Tensor } from "../engine/tensor.ts";
import { Module } from "./module.ts";

export interface InceptionConvOptions {
  stride?: number;
  padding?: number | Pair;
}

/**
 * Convolution, batch norm and ReLU: x [n,in,h,w] -> [n,out,h',w']. The norm's statistics are fixed, so its factor is in
 * the weights and its shift in the bias: see `foldInception`, which makes both.
 */
export class InceptionConv extends Module<[x: Tensor], Tensor> {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly options: InceptionConvOptions;

  constructor(
    engine: Engine,
    inChannels: number,
    outChannels: number,
    kernel: number | Pair,
    options: InceptionConvOptions = {},
  ) {
    super();
    const [kh, kw] = typeof kernel === "number" ? [kernel, kernel] : kernel;
    this.weight = engine.untrack(engine.zeros([outChannels, inChannels, kh, kw]));
    this.bias = engine.untrack(engine.zeros([outChannels]));
    this.options = options;
  }

  get outChannels(): number {
    return this.weight.dim(0);
  }

  forward(x: Tensor): Tensor {
    return relu(conv2d(x, this.weight, this.bias, this.options));
  }
}
