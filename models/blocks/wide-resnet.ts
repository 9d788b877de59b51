import { add, avgPool2d, conv2d, matmul, type Padding, pad } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";
import { GroupNorm, groupsFor, perChannel } from "../layers/index.ts";
import { Module } from "../module.ts";
import { Block } from "./block.ts";

/** y = x weight^T + bias, the bias 0 at first: x [n,in], weight [out,in] -> [n,out]. */
export class Dense extends Module<[x: Tensor], Tensor> {
  readonly weight: Tensor;
  readonly bias: Tensor;

  constructor(init: Init, weight: Tensor) {
    super();
    this.weight = weight;
    this.bias = init.constant([weight.dim(0)], 0);
  }

  forward(x: Tensor): Tensor {
    return matmul(x, this.weight, { transposeB: true, bias: this.bias });
  }
}

/** A weight [out,in] of variance 1 / in, as flax's layers start (there with the tails cut off). */
export const lecunNormal = (init: Init, inputs: number, outputs: number): Tensor =>
  init.normal([outputs, inputs], 0, 1 / Math.sqrt(inputs));

/** As TensorFlow pads a 3x3 kernel on an even image: with a stride of 2, zeros only at the bottom and the right. */
const samePadding = { 1: [1, 1, 1, 1], 2: [0, 1, 0, 1] } satisfies Record<1 | 2, Padding>;

/** 3x3 convolution without bias: x [n,in,h,w] -> [n,out,h/stride,w/stride]. Starts with variance 2 / fan out (He et al. 2015). */
export class Conv3x3 extends Module<[x: Tensor], Tensor> {
  readonly weight: Tensor;
  readonly stride: 1 | 2;

  constructor(init: Init, inChannels: number, outChannels: number, stride: 1 | 2 = 1) {
    super();
    this.weight = init.normal([outChannels, inChannels, 3, 3], 0, Math.sqrt(2 / (9 * outChannels)));
    this.stride = stride;
  }

  forward(x: Tensor): Tensor {
    const { stride } = this;
    return conv2d(x, this.weight, undefined, { stride, padding: samePadding[stride] });
  }
}

/** Group norm of four channels a group, 32 groups at most; where official names say bn, this stands. */
export const wideResnetNorm = (init: Init, channels: number): GroupNorm =>
  new GroupNorm(init, channels, { groups: groupsFor(channels), eps: 1e-5 });

interface WideResnetBlockOptions {
  /** Length of the time embedding. */
  embedding: number;
  stride?: 1 | 2;
  /** The skip, too, takes the normalised and activated input: the network's first block. */
  activateBeforeResidual?: boolean;
}

/**
 * Pre-activation residual block: x [n,in,h,w], embedding [n,e] (activated) -> [n,out,h/stride,w/stride]. A skip that
 * changes shape is a mean over squares with channels of zeros behind it, without parameters. Zagoruyko & Komodakis
 * 2016, the noise level added as in Ho et al. 2020.
 */
export class WideResnetBlock extends Block<[x: Tensor, embedding: Tensor]> {
  readonly init_bn: GroupNorm;
  readonly conv1: Conv3x3;
  readonly Dense_0: Dense;
  readonly bn_2: GroupNorm;
  readonly conv2: Conv3x3;
  readonly activateBeforeResidual: boolean;

  constructor(init: Init, inChannels: number, outChannels: number, options: WideResnetBlockOptions) {
    super();
    const { embedding, stride = 1, activateBeforeResidual = false } = options;
    this.init_bn = wideResnetNorm(init, inChannels);
    this.conv1 = new Conv3x3(init, inChannels, outChannels, stride);
    this.Dense_0 = new Dense(init, lecunNormal(init, embedding, outChannels));
    this.bn_2 = wideResnetNorm(init, outChannels);
    this.conv2 = new Conv3x3(init, outChannels, outChannels);
    this.activateBeforeResidual = activateBeforeResidual;
  }

  forward(x: Tensor, embedding: Tensor): Tensor {
    const active = this.init_bn.run(x, { act: "relu" });
    const h = add(this.conv1.run(active), perChannel(this.Dense_0.run(embedding)));
    const y = this.conv2.run(this.bn_2.run(h, { act: "relu" }));
    return add(y, this.#skip(this.activateBeforeResidual ? active : x, y.dim(1)));
  }

  #skip(x: Tensor, channels: number): Tensor {
    const { stride } = this.conv1;
    const pooled = stride === 1 ? x : avgPool2d(x, { kernel: stride });
    const missing = channels - x.dim(1);
    const behind = [0, missing] as const;
    return missing === 0 ? pooled : pad(pooled, [[0, 0], behind, [0, 0], [0, 0]]);
  }
}
