import type { Engine } from "../../engine/engine.ts";
import { add, avgPool2d, resizeNearest } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";
import { Module } from "../module.ts";
import { Conv2d } from "./conv.ts";
import { Fir } from "./fir.ts";
import { perChannel } from "./variance.ts";
import { drawBias, drawWeight } from "./weights.ts";

/** Every pixel repeated: x [n,c,h,w] -> [n,c,factor h,factor w]. */
export const naiveUpsample = (x: Tensor, factor = 2): Tensor =>
  resizeNearest(x, [x.dim(2) * factor, x.dim(3) * factor]);

/** Means of squares: x [n,c,h,w] -> [n,c,h/factor,w/factor]; a last row or column left over is dropped. */
export const naiveDownsample = (x: Tensor, factor = 2): Tensor => avgPool2d(x, { kernel: factor });

/** Doubles or halves an image. */
export interface Resampler {
  upsample(x: Tensor): Tensor;
  downsample(x: Tensor): Tensor;
  dispose(): void;
}

/** Through a FIR filter with these taps, or naively without any. */
export const resampler = (engine: Engine, taps?: readonly number[]): Resampler =>
  taps ? new Fir(engine, taps) : { upsample: naiveUpsample, downsample: naiveDownsample, dispose() {} };

export interface ResampleOptions {
  /** A 3x3 convolution beside. */
  withConv?: boolean;
  /** As many as come in if absent; needs withConv. */
  outChannels?: number;
  /** Taps of the FIR filter, [1,3,3,1] in the paper; resampled naively if absent. */
  fir?: readonly number[];
}

/** x [n,in,h,w] -> [n,out,2h,2w]. score_sde layers.py and, with fir, layerspp.py. */
export class Upsample extends Module<[x: Tensor], Tensor> {
  readonly Conv_0?: Conv2d;
  readonly Conv2d_0?: FirConv;
  readonly resampler: Resampler;

  constructor(
    init: Init,
    inChannels: number,
    { withConv = false, outChannels = inChannels, fir }: ResampleOptions = {},
  ) {
    super();
    if (withConv && fir) this.Conv2d_0 = new FirConv(init, inChannels, outChannels, "up", fir);
    else if (withConv) this.Conv_0 = new Conv2d(init, inChannels, outChannels, { initScale: 1 });
    this.resampler = resampler(init.engine, fir);
  }

  forward(x: Tensor): Tensor {
    if (this.Conv2d_0) return this.Conv2d_0.run(x);
    const y = this.resampler.upsample(x);
    return this.Conv_0 ? this.Conv_0.run(y) : y;
  }
}

/** x [n,in,h,w] -> [n,out,h/2,w/2]. score_sde layers.py and, with fir, layerspp.py. */
export class Downsample extends Module<[x: Tensor], Tensor> {
  readonly Conv_0?: Conv2d;
  readonly Conv2d_0?: FirConv;
  readonly resampler: Resampler;

  constructor(
    init: Init,
    inChannels: number,
    { withConv = false, outChannels = inChannels, fir }: ResampleOptions = {},
  ) {
    super();
    if (withConv && fir) this.Conv2d_0 = new FirConv(init, inChannels, outChannels, "down", fir);
    else if (withConv)
      // Zeros only at the bottom and the right, as TensorFlow pads for a stride of 2.
      this.Conv_0 = new Conv2d(init, inChannels, outChannels, {
        initScale: 1,
        stride: 2,
        padding: [0, 1, 0, 1],
      });
    this.resampler = resampler(init.engine, fir);
  }

  forward(x: Tensor): Tensor {
    const conv = this.Conv2d_0 ?? this.Conv_0;
    return conv ? conv.run(x) : this.resampler.downsample(x);
  }
}

/** A 3x3 convolution that doubles or halves the image through a FIR filter. */
class FirConv extends Module<[x: Tensor], Tensor> {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly fir: Fir;
  readonly direction: "up" | "down";

  constructor(
    init: Init,
    inChannels: number,
    outChannels: number,
    direction: "up" | "down",
    taps: readonly number[],
  ) {
    super();
    this.weight = drawWeight(init, [outChannels, inChannels, 3, 3], { initScale: 1 });
    this.bias = drawBias(init, outChannels, inChannels * 9, { initScale: 1 })!;
    this.fir = new Fir(init.engine, taps);
    this.direction = direction;
  }

  forward(x: Tensor): Tensor {
    const y =
      this.direction === "up"
        ? this.fir.upsampleConv(x, this.weight)
        : this.fir.convDownsample(x, this.weight);
    return add(y, perChannel(this.bias));
  }
}
