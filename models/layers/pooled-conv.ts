import { UsageError } from "../../engine/errors.ts";
import { avgPool2d, concat, pad, permute, reshape } from "../../engine/ops/index.ts";
import { showShape } from "../../engine/shapes.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";
import { Module } from "../module.ts";
import { Conv2d } from "./conv.ts";

// The resampling convolutions of Improved WGAN that NCSN uses.

export interface PooledConvOptions {
  /** Side of the kernel, 3 unless told. */
  kernel?: number;
  bias?: boolean;
}

export interface ConvMeanPoolOptions extends PooledConvOptions {
  /** A row and a column of zeros before the image, so that an odd size becomes even. */
  adjustPadding?: boolean;
}

/** Stands before the convolution under the official name conv.0: zeros at the top and the left. */
class ZeroPad extends Module<[x: Tensor], Tensor> {
  forward(x: Tensor): Tensor {
    return pad(x, [
      [0, 0],
      [0, 0],
      [1, 0],
      [1, 0],
    ]);
  }
}

/** A convolution, then the mean of 2x2 pixels: x [n,in,h,w] -> [n,out,h/2,w/2]. Throws UsageError for odd sizes. */
export class ConvMeanPool extends Module<[x: Tensor], Tensor> {
  readonly conv: Conv2d | readonly [ZeroPad, Conv2d];

  constructor(init: Init, inChannels: number, outChannels: number, options: ConvMeanPoolOptions = {}) {
    super();
    const conv = new Conv2d(init, inChannels, outChannels, options);
    this.conv = options.adjustPadding ? [new ZeroPad(), conv] : conv;
  }

  forward(x: Tensor): Tensor {
    const y = this.conv instanceof Conv2d ? this.conv.run(x) : this.conv[1].run(this.conv[0].run(x));
    return meanPool("ConvMeanPool", y);
  }
}

/** The mean of 2x2 pixels, then a convolution: x [n,in,h,w] -> [n,out,h/2,w/2]. Throws UsageError for odd sizes. */
export class MeanPoolConv extends Module<[x: Tensor], Tensor> {
  readonly conv: Conv2d;

  constructor(init: Init, inChannels: number, outChannels: number, options: PooledConvOptions = {}) {
    super();
    this.conv = new Conv2d(init, inChannels, outChannels, options);
  }

  forward(x: Tensor): Tensor {
    return this.conv.run(meanPool("MeanPoolConv", x));
  }
}

/**
 * Twice the size, then a convolution: x [n,in,h,w] -> [n,out,2h,2w]. As in the official code the pixels of a 2x2
 * square come from four neighbouring channels of four copies of x, not from one channel.
 */
export class UpsampleConv extends Module<[x: Tensor], Tensor> {
  readonly conv: Conv2d;

  constructor(init: Init, inChannels: number, outChannels: number, options: PooledConvOptions = {}) {
    super();
    this.conv = new Conv2d(init, inChannels, outChannels, options);
  }

  forward(x: Tensor): Tensor {
    return this.conv.run(pixelShuffle(concat([x, x, x, x], 1), 2));
  }
}

/** Channels to pixels: x [n,c r^2,h,w] -> [n,c,r h,r w], pixel (i, j) of a square from channel r i + j of its r^2. */
export function pixelShuffle(x: Tensor, r: number): Tensor {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const squares = reshape(x, [n, c / r ** 2, r, r, h, w]);
  return reshape(permute(squares, [0, 1, 4, 2, 5, 3]), [n, c / r ** 2, r * h, r * w]);
}

function meanPool(who: string, x: Tensor): Tensor {
  if (x.dim(2) % 2 !== 0 || x.dim(3) % 2 !== 0)
    throw new UsageError(
      `${who}: got ${showShape(x.shape)} to halve, expected even height and width; use an even image size`,
    );
  return avgPool2d(x, { kernel: 2 });
}
