import { add, mul } from "../engine/ops/index.ts";
import type { Tensor } from "../engine/tensor.ts";
import type { Init } from "./init.ts";
import {
  type ActivationName,
  Combine,
  type CombineMethod,
  Conv2d,
  Downsample,
  GroupNorm,
  groupsFor,
  type Resampler,
  Upsample,
} from "./layers/index.ts";
import type { Module } from "./module.ts";

// The progressive growing of NCSN++, after StyleGAN2 (Karras et al. 2020, figure 7): the image enters the way down at
// every size and the output leaves the way up at every size. Song et al. 2021, appendix H.

/** Joins the image at the next size to the features h of that size. */
export interface Join {
  /** Of the joined features. */
  readonly channels: number;
  /** h [n,c,s,s] and the pyramid so far [n,p,2s,2s] -> features [n,channels,s,s] and the pyramid at their size. */
  run(h: Tensor, pyramid: Tensor): { h: Tensor; pyramid: Tensor };
}

/** Takes the output's share at one size: features h [n,c,s,s] and what was collected at s/2, none at the smallest. */
export type Collect = (h: Tensor, collected?: Tensor) => { h: Tensor; collected: Tensor };

/** Asked for each halving of features with so many channels, in order. */
export type InputPyramid = (channels: number) => Join;

/** Asked for each size from the smallest on, with the channels of the features. */
export type OutputPyramid = (channels: number) => Collect;

export interface PyramidOptions {
  /** Of the image. */
  channels: number;
  /** Taps of the filter of convolutions that resample; naive if absent. */
  fir?: readonly number[];
  /** Makes images smaller and larger. */
  resampler: Resampler;
  /** Divide sums by sqrt 2. */
  skipRescale: boolean;
  /** Of convolutions that give an output. */
  initScale: number;
  combine: CombineMethod;
  act: ActivationName;
  /** Registers a module of the network. */
  place: <M extends Module>(module: M) => M;
}

/** The image, made smaller, through a 1x1 convolution. */
export const inputSkip =
  (init: Init, { channels: image, resampler, combine: method, place }: PyramidOptions): InputPyramid =>
  (channels) => {
    const combine = place(new Combine(init, image, channels, method));
    return {
      channels: method === "cat" ? 2 * channels : channels,
      run: (h, pyramid) => {
        const smaller = resampler.downsample(pyramid);
        return { h: combine.run(smaller, h), pyramid: smaller };
      },
    };
  };

/** The sums of before, made smaller by convolution: a residual path beside that of the features. */
export const inputResidual = (init: Init, options: PyramidOptions): InputPyramid => {
  const { fir, place } = options;
  let before = options.channels;
  return (channels) => {
    const down = place(new Downsample(init, before, { withConv: true, outChannels: channels, fir }));
    before = channels;
    return {
      channels,
      run: (h, pyramid) => {
        const sum = rescaled(add(down.run(pyramid), h), options);
        return { h: sum, pyramid: sum };
      },
    };
  };
};

/** A picture made of the features of every size; the sum of all, each made larger, is the output. */
export const outputSkip =
  (init: Init, options: PyramidOptions): OutputPyramid =>
  (channels) => {
    const { channels: image, initScale, resampler } = options;
    const picture = normThenConv(init, channels, image, initScale, options);
    return (h, collected) => ({
      h,
      collected: collected ? add(resampler.upsample(collected), picture(h)) : picture(h),
    });
  };

/** The sums of before, made larger by convolution: a residual path beside that of the features. */
export const outputResidual = (init: Init, options: PyramidOptions): OutputPyramid => {
  const { fir, place } = options;
  let before: number | undefined;
  return (channels) => {
    if (before === undefined) {
      before = channels;
      const start = normThenConv(init, channels, channels, 1, options);
      return (h) => ({ h, collected: start(h) });
    }
    const up = place(new Upsample(init, before, { withConv: true, outChannels: channels, fir }));
    before = channels;
    return (h, collected) => {
      const sum = rescaled(add(up.run(collected!), h), options);
      return { h: sum, collected: sum };
    };
  };
};

/** Norm, activation and a 3x3 convolution: how every output of NCSN++ is made. */
export function normThenConv(
  init: Init,
  inChannels: number,
  outChannels: number,
  initScale: number,
  { act, place }: Pick<PyramidOptions, "act" | "place">,
): (h: Tensor) => Tensor {
  const norm = place(new GroupNorm(init, inChannels, { groups: groupsFor(inChannels) }));
  const conv = place(new Conv2d(init, inChannels, outChannels, { initScale }));
  return (h) => conv.run(norm.run(h, { act }));
}

const rescaled = (sum: Tensor, { skipRescale }: PyramidOptions): Tensor =>
  skipRescale ? mul(sum, Math.SQRT1_2) : sum;
