import type { DrawSource } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";
import { type ActivationName, activation, Conv2d, Dropout, GroupNorm, Linear, NIN } from "../layers/index.ts";
import { Block } from "./block.ts";

export interface ResnetDDPMOptions {
  act: ActivationName;
  /** Length of the time embedding; without one the block does not see the time. */
  embedding?: number;
  /** Groups of a norm over so many channels: 32 in the DDPM network, groupsFor in NCSN++. */
  groups: (channels: number) => number;
  /** A 3x3 convolution instead of a linear layer where the skip changes channels. */
  convShortcut?: boolean;
  /** Divide the sum with the skip by sqrt 2. */
  skipRescale?: boolean;
  /** Of the last convolution; 0 lets the block start as its skip. */
  initScale?: number;
  /** Share of the elements dropped before the last convolution while training; none unless told. */
  dropout?: number;
}

/**
 * Residual block of DDPM (Ho et al. 2020): x [n,in,h,w], embedding [n,e] -> [n,out,h,w].
 * ResnetBlockDDPM of layers.py, ResnetBlockDDPMpp of layerspp.py.
 */
export class ResnetBlockDDPM extends Block<[x: Tensor, embedding?: Tensor, masks?: DrawSource]> {
  readonly GroupNorm_0: GroupNorm;
  readonly Conv_0: Conv2d;
  readonly Dense_0?: Linear;
  readonly GroupNorm_1: GroupNorm;
  readonly Dropout_0: Dropout;
  readonly Conv_1: Conv2d;
  readonly Conv_2?: Conv2d;
  readonly NIN_0?: NIN;
  readonly act: ActivationName;
  readonly skipRescale: boolean;

  constructor(init: Init, inChannels: number, outChannels: number, options: ResnetDDPMOptions) {
    super();
    const { act, embedding, groups, convShortcut = false, skipRescale = false } = options;
    const { initScale = 0, dropout = 0 } = options;
    this.GroupNorm_0 = new GroupNorm(init, inChannels, { groups: groups(inChannels) });
    this.Conv_0 = new Conv2d(init, inChannels, outChannels, { initScale: 1 });
    if (embedding !== undefined) this.Dense_0 = new Linear(init, embedding, outChannels, { initScale: 1 });
    this.GroupNorm_1 = new GroupNorm(init, outChannels, { groups: groups(outChannels) });
    this.Dropout_0 = new Dropout(init, dropout);
    this.Conv_1 = new Conv2d(init, outChannels, outChannels, { initScale });
    if (inChannels !== outChannels) {
      if (convShortcut) this.Conv_2 = new Conv2d(init, inChannels, outChannels, { initScale: 1 });
      else this.NIN_0 = new NIN(init, inChannels, outChannels);
    }
    this.act = act;
    this.skipRescale = skipRescale;
  }

  forward(x: Tensor, embedding?: Tensor, masks?: DrawSource): Tensor {
    const { act } = this;
    const shift = embedding && this.Dense_0?.run(activation(embedding, act)); // [n,out]
    const h = this.Conv_0.run(this.GroupNorm_0.run(x, { act }), { shift });
    const residual = (this.Conv_2 ?? this.NIN_0)?.run(x) ?? x;
    const rescale = this.skipRescale ? Math.SQRT1_2 : 1;
    const dropped = this.Dropout_0.run(this.GroupNorm_1.run(h, { act }), masks);
    return this.Conv_1.run(dropped, { residual, rescale });
  }
}
