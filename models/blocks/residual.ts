import { add } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";
import { type ActivationName, Conv2d, ConvMeanPool, type MakeNorm, type Norm } from "../layers/index.ts";
import { Block } from "./block.ts";

export interface ResidualOptions {
  norm: MakeNorm;
  act: ActivationName;
  /** Halve the image; with a dilation it keeps its size. Absent: neither. */
  resample?: "down";
  /** Of every 3x3 convolution in the block; plain ones if absent. */
  dilation?: number;
  /** ConvMeanPool's zeros before the image, for odd sizes. No effect with a dilation. */
  adjustPadding?: boolean;
}

/**
 * Pre-activation residual block: x [n,in,h,w] -> [n,out,h',w'], h' = h/2 where it pools. Song & Ermon 2019,
 * appendix A, and 2020: ConditionalResidualBlock with a conditional norm, ResidualBlock with a plain one.
 */
export class ResidualBlock extends Block<[x: Tensor, labels?: Tensor]> {
  readonly conv1: Conv2d;
  readonly normalize2: Norm;
  readonly conv2: Conv2d | ConvMeanPool;
  readonly shortcut?: Conv2d | ConvMeanPool;
  readonly normalize1: Norm;
  readonly act: ActivationName;

  constructor(init: Init, inChannels: number, outChannels: number, options: ResidualOptions) {
    super();
    const { norm, act, resample, dilation, adjustPadding } = options;
    const pools = resample === "down" && dilation === undefined;
    const middle = resample === "down" ? inChannels : outChannels;
    this.conv1 = new Conv2d(init, inChannels, middle, { dilation });
    this.normalize2 = norm(init, middle);
    this.conv2 = pools
      ? new ConvMeanPool(init, middle, outChannels, { adjustPadding })
      : new Conv2d(init, middle, outChannels, { dilation });
    if (resample === "down" || inChannels !== outChannels) {
      const kernel = dilation === undefined ? 1 : 3;
      this.shortcut = pools
        ? new ConvMeanPool(init, inChannels, outChannels, { kernel, adjustPadding })
        : new Conv2d(init, inChannels, outChannels, { kernel, dilation });
    }
    this.normalize1 = norm(init, inChannels);
    this.act = act;
  }

  forward(x: Tensor, labels?: Tensor): Tensor {
    const { act } = this;
    let h = this.conv1.run(this.normalize1.run(x, { labels, act }));
    h = this.normalize2.run(h, { labels, act });
    const residual = this.shortcut ? this.shortcut.run(x) : x;
    return this.conv2 instanceof Conv2d ? this.conv2.run(h, { residual }) : add(residual, this.conv2.run(h));
  }
}
