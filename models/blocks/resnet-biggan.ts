import type { DrawSource } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";
import {
  type ActivationName,
  activation,
  Conv2d,
  Dropout,
  GroupNorm,
  groupsFor,
  Linear,
  type Resampler,
  resampler,
} from "../layers/index.ts";
import { Block } from "./block.ts";

export interface ResnetBigGANOptions {
  act: ActivationName;
  /** Length of the time embedding; without one the block does not see the time. */
  embedding?: number;
  /** Double or halve the image. */
  resample?: "up" | "down";
  /** Taps of the resampling filter; naive if absent. */
  fir?: readonly number[];
  /** Divide the sum with the skip by sqrt 2. */
  skipRescale?: boolean;
  /** Of the last convolution; 0 lets the block start as its skip. */
  initScale?: number;
  /** Share of the elements dropped before the last convolution while training; none unless told. */
  dropout?: number;
}

/**
 * Residual block of BigGAN (Brock et al. 2019) as in NCSN++: x [n,in,h,w], embedding [n,e] -> [n,out,h',w'],
 * h' = 2h, h/2 or h. Song et al. 2021, appendix H. ResnetBlockBigGANpp of layerspp.py.
 */
export class ResnetBlockBigGAN extends Block<[x: Tensor, embedding?: Tensor, masks?: DrawSource]> {
  readonly GroupNorm_0: GroupNorm;
  readonly Conv_0: Conv2d;
  readonly Dense_0?: Linear;
  readonly GroupNorm_1: GroupNorm;
  readonly Dropout_0: Dropout;
  readonly Conv_1: Conv2d;
  readonly Conv_2?: Conv2d;
  readonly act: ActivationName;
  readonly skipRescale: boolean;
  readonly resampling?: "up" | "down";
  readonly resampler: Resampler;

  constructor(init: Init, inChannels: number, outChannels: number, options: ResnetBigGANOptions) {
    super();
    const { act, embedding, resample, fir, skipRescale = true, initScale = 0, dropout = 0 } = options;
    this.GroupNorm_0 = new GroupNorm(init, inChannels, { groups: groupsFor(inChannels) });
    this.Conv_0 = new Conv2d(init, inChannels, outChannels, { initScale: 1 });
    if (embedding !== undefined) this.Dense_0 = new Linear(init, embedding, outChannels, { initScale: 1 });
    this.GroupNorm_1 = new GroupNorm(init, outChannels, { groups: groupsFor(outChannels) });
    this.Dropout_0 = new Dropout(init, dropout);
    this.Conv_1 = new Conv2d(init, outChannels, outChannels, { initScale });
    if (resample || inChannels !== outChannels)
      this.Conv_2 = new Conv2d(init, inChannels, outChannels, { kernel: 1, initScale: 1 });
    this.act = act;
    this.skipRescale = skipRescale;
    this.resampling = resample;
    this.resampler = resampler(init.engine, resample && fir);
  }

  forward(x: Tensor, embedding?: Tensor, masks?: DrawSource): Tensor {
    const { act } = this;
    const shift = embedding && this.Dense_0?.run(activation(embedding, act)); // [n,out]
    const h = this.Conv_0.run(this.#resample(this.GroupNorm_0.run(x, { act })), { shift });
    const skip = this.#resample(x);
    const residual = this.Conv_2 ? this.Conv_2.run(skip) : skip;
    const rescale = this.skipRescale ? Math.SQRT1_2 : 1;
    const dropped = this.Dropout_0.run(this.GroupNorm_1.run(h, { act }), masks);
    return this.Conv_1.run(dropped, { residual, rescale });
  }

  #resample(x: Tensor): Tensor {
    if (!this.resampling) return x;
    return this.resampling === "up" ? this.resampler.upsample(x) : this.resampler.downsample(x);
  }
}
