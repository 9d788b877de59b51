import { UsageError } from "../engine/errors.ts";
import { div, log, maximum, mean, silu, sqrt, square, sub } from "../engine/ops/index.ts";
import { showShape } from "../engine/shapes.ts";
import type { Tensor } from "../engine/tensor.ts";
import { Conv3x3, Dense, lecunNormal, WideResnetBlock, wideResnetNorm } from "./blocks/wide-resnet.ts";
import { type Classifier, logProbGrad } from "./classifier.ts";
import type { Init } from "./init.ts";
import { GaussianFourierProjection, type GroupNorm, perChannel } from "./layers/index.ts";
import { Module } from "./module.ts";
import { requireCounts } from "./require.ts";

/** Mean and standard deviation of each channel over a set of images. */
export interface ChannelStatistics {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Of CIFAR-10 in [0, 1], as the official classifier was trained. */
export const cifar10Statistics: ChannelStatistics = {
  mean: [0.49139968, 0.48215841, 0.44653091],
  std: [0.24703223, 0.24348513, 0.26158784],
};

export interface WideResNetOptions {
  /** Of the image. */
  channels: number;
  /** 4, with 3 groups of two convolutions a block and the layers around them, makes the 28 of WRN-28-10. */
  blocksPerGroup?: number;
  /** The 10 of WRN-28-10: widths are 16, 32 and 64 times it. From 1 to 8, or even. */
  channelMultiplier?: number;
  /** Classes. */
  numOutputs?: number;
  /** Standard deviation of the Fourier features' frequencies. */
  fourierScale?: number;
  /** Images are brought to mean 0 and deviation 1 of each channel by these first, if given. */
  statistics?: ChannelStatistics;
}

const STEM = 16;
const FOURIER = 128;
const EMBEDDING = 4 * FOURIER;

/**
 * Noise-conditional classifier: x [n,channels,h,w], h and w multiples of 4, and sigma [n], the standard deviation of
 * each sample's noise, above 0 -> logits [n,numOutputs]. Song et al. 2021, appendix I.1: a wide residual network
 * (Zagoruyko & Komodakis 2016) with group norm, told log sigma by Gaussian Fourier features. No dropout.
 *
 * Its official code is JAX; the names are flax's, WideResnetGroup_G.WideResnetBlock_B as WideResnetGroup_G.B,
 * pre-pool-bn as pre_pool_bn, kernel and scale as weight, kernels transposed to [out,in,...].
 */
export class WideResNet extends Module<[x: Tensor, sigma: Tensor], Tensor> implements Classifier {
  readonly predicts = "logits" as const;
  readonly GaussianFourierProjection_0: GaussianFourierProjection;
  readonly Dense_0: Dense;
  readonly Dense_1: Dense;
  readonly init_conv: Conv3x3;
  readonly WideResnetGroup_0: readonly WideResnetBlock[];
  readonly WideResnetGroup_1: readonly WideResnetBlock[];
  readonly WideResnetGroup_2: readonly WideResnetBlock[];
  readonly pre_pool_bn: GroupNorm;
  readonly Dense_2: Dense;
  readonly options: Omit<Required<WideResNetOptions>, "statistics"> & Pick<WideResNetOptions, "statistics">;

  constructor(init: Init, options: WideResNetOptions) {
    super();
    this.options = requireOptions(options);
    const { channels, blocksPerGroup, channelMultiplier, numOutputs, fourierScale } = this.options;
    this.GaussianFourierProjection_0 = new GaussianFourierProjection(init, FOURIER, { scale: fourierScale });
    this.Dense_0 = new Dense(init, lecunNormal(init, 2 * FOURIER, EMBEDDING));
    this.Dense_1 = new Dense(init, lecunNormal(init, EMBEDDING, EMBEDDING));
    this.init_conv = new Conv3x3(init, channels, STEM);

    const group = (inputs: number, outputs: number, first: { stride?: 2; activateBeforeResidual?: true }) =>
      Array.from({ length: blocksPerGroup }, (_, i) =>
        i === 0
          ? new WideResnetBlock(init, inputs, outputs, { embedding: EMBEDDING, ...first })
          : new WideResnetBlock(init, outputs, outputs, { embedding: EMBEDDING }),
      );
    const width = STEM * channelMultiplier;
    this.WideResnetGroup_0 = group(STEM, width, { activateBeforeResidual: true });
    this.WideResnetGroup_1 = group(width, 2 * width, { stride: 2 });
    this.WideResnetGroup_2 = group(2 * width, 4 * width, { stride: 2 });
    this.pre_pool_bn = wideResnetNorm(init, 4 * width);
    const bound = 1 / Math.sqrt(numOutputs);
    this.Dense_2 = new Dense(init, init.uniform([numOutputs, 4 * width], -bound, bound));
    this.nameParts();
  }

  get classes(): number {
    return this.options.numOutputs;
  }

  forward(x: Tensor, sigma: Tensor): Tensor {
    return this.Dense_2.run(this.features(x, sigma));
  }

  /** What the last layer sees: means over the pixels of the activated maps, [n,64 channelMultiplier]. */
  features(x: Tensor, sigma: Tensor): Tensor {
    return x.engine.scope(() => this.#pooled(x, sigma));
  }

  #pooled(x: Tensor, sigma: Tensor): Tensor {
    this.#requireInput(x, sigma);
    const features = this.GaussianFourierProjection_0.run(log(sigma)); // [n,256]
    const embedding = silu(this.Dense_1.run(silu(this.Dense_0.run(features)))); // [n,512]
    const { WideResnetGroup_0, WideResnetGroup_1, WideResnetGroup_2 } = this;
    const blocks = [...WideResnetGroup_0, ...WideResnetGroup_1, ...WideResnetGroup_2];
    const h = blocks.reduce((h, block) => block.run(h, embedding), this.init_conv.run(this.#standardize(x)));
    return mean(this.pre_pool_bn.run(h, { act: "relu" }), { axis: [2, 3] });
  }

  /** grad_x log p(y | x, sigma) for labels y [n] (i32), of x's shape: see `logProbGrad`. */
  logProbGrad(x: Tensor, sigma: Tensor, labels: Tensor): Tensor {
    return logProbGrad((x, sigma) => this.run(x, sigma), x, sigma, labels);
  }

  /** Each channel by the data's statistics, then each image to mean 0 and deviation 1. */
  #standardize(x: Tensor): Tensor {
    const { statistics } = this.options;
    const constants = (values: readonly number[]) => perChannel(x.engine.tensor(values));
    const y = statistics ? div(sub(x, constants(statistics.mean)), constants(statistics.std)) : x;
    const image = { axis: [1, 2, 3], keepDims: true };
    const centred = sub(y, mean(y, image));
    const least = x.dim(0) / x.size; // of the variance: 1 / numbers in an image, so that a blank one stays finite
    return div(centred, sqrt(maximum(mean(square(centred), image), least)));
  }

  #requireInput(x: Tensor, sigma: Tensor): void {
    const { channels } = this.options;
    if (x.rank !== 4 || x.dim(1) !== channels || x.dim(2) % 4 !== 0 || x.dim(3) % 4 !== 0)
      throw new UsageError(
        `WideResNet: got x ${showShape(x.shape)}, expected [n,${channels},h,w], h and w multiples of 4`,
      );
    if (sigma.rank !== 1 || sigma.dim(0) !== x.dim(0) || sigma.dtype !== "f32")
      throw new UsageError(
        `WideResNet: got sigma ${sigma.dtype} ${showShape(sigma.shape)} for x ${showShape(x.shape)}, expected f32 [${x.dim(0)}]`,
      );
  }
}

function requireOptions(options: WideResNetOptions): WideResNet["options"] {
  const { blocksPerGroup = 4, channelMultiplier = 10, numOutputs = 10, fourierScale = 16 } = options;
  const { channels, statistics } = options;
  const counts = { channels, blocksPerGroup, channelMultiplier, numOutputs };
  requireCounts("WideResNet", counts);
  if (channelMultiplier > 8 && channelMultiplier % 2 !== 0)
    throw new UsageError(
      `WideResNet: got channelMultiplier ${channelMultiplier}, expected 1 to 8 or an even number: ` +
        `${STEM * channelMultiplier} channels make no 32 groups`,
    );
  if (!(fourierScale > 0 && Number.isFinite(fourierScale)))
    throw new UsageError(`WideResNet: got fourierScale ${fourierScale}, expected a number above 0`);
  if (statistics) requireStatistics(statistics, channels);
  return { ...counts, fourierScale, statistics };
}

function requireStatistics({ mean, std }: ChannelStatistics, channels: number): void {
  const numbers = [...mean, ...std];
  const fit = mean.length === channels && std.length === channels && numbers.every(Number.isFinite);
  if (!fit || std.some((s) => s <= 0))
    throw new UsageError(
      `WideResNet: got statistics of mean [${mean}] and std [${std}], expected ${channels} numbers each, std above 0`,
    );
}
