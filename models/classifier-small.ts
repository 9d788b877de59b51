import { UsageError } from "../engine/errors.ts";
import {
  add,
  avgPool2d,
  div,
  log,
  perSample,
  reshape,
  silu,
  sqrt,
  square,
  sub,
} from "../engine/ops/index.ts";
import type { Tensor } from "../engine/tensor.ts";
import { ResnetBlockDDPM } from "./blocks/index.ts";
import type { Classifier } from "./classifier.ts";
import type { Init } from "./init.ts";
import { Conv2d, GaussianFourierProjection, GroupNorm, groupsFor, Linear } from "./layers/index.ts";
import { Module } from "./module.ts";
import { requireImages } from "./noise-condition.ts";
import { requireCounts } from "./require.ts";

export interface ClassifierSmallOptions {
  /** Channels of the images. */
  channels: number;
  /** Their side, a multiple of 4. */
  imageSize: number;
  classes: number;
  /** Channels of the maps of the first convolution, of those at half and at quarter size. */
  widths?: readonly [number, number, number];
  /** Numbers by which the last layer decides. */
  features?: number;
}

/** Fourier features of log sigma: sines and cosines of so many frequencies, of this deviation in turns for a factor of e. */
const FOURIER = { frequencies: 16, scale: 0.5 };
const EMBEDDING = 64;
/** About the spread of images in [0, 1]. */
const DATA = { mean: 0.5, std: 0.5 };

/**
 * A noise-conditional classifier small enough for a processor: x [n,channels,h,w] and sigma [n], the standard deviation
 * of each sample's noise, above 0 -> logits [n,classes]. Ours: images brought to a spread of order 1 at any noise
 * (Karras et al. 2022), two residual blocks of DDPM told log sigma, and a layer that sees every place of their maps,
 * for under much noise only the whole image tells classes apart. Names in the manner of flax, as WideResNet's.
 */
export class ClassifierSmall extends Module<[x: Tensor, sigma: Tensor], Tensor> implements Classifier {
  readonly predicts = "logits" as const;
  readonly GaussianFourierProjection_0: GaussianFourierProjection;
  readonly Dense_0: Linear;
  readonly Conv_0: Conv2d;
  readonly ResnetBlockDDPM_0: ResnetBlockDDPM;
  readonly ResnetBlockDDPM_1: ResnetBlockDDPM;
  readonly GroupNorm_0: GroupNorm;
  readonly Dense_1: Linear;
  readonly Dense_2: Linear;
  readonly classes: number;
  readonly #image: { readonly channels: number; readonly imageSize: number };

  /** Throws UsageError for images whose side is no multiple of 4, and for counts that are none. */
  constructor(init: Init, options: ClassifierSmallOptions) {
    super();
    const { channels, imageSize, classes, widths = [16, 32, 64], features = 64 } = options;
    requireSizes({ channels, classes, features, imageSize, widths });
    const [c0, c1, c2] = widths;
    const block = (inputs: number, outputs: number) =>
      new ResnetBlockDDPM(init, inputs, outputs, {
        ...{ act: "swish", embedding: EMBEDDING, groups: groupsFor, initScale: 1 },
      });
    this.GaussianFourierProjection_0 = new GaussianFourierProjection(init, FOURIER.frequencies, FOURIER);
    this.Dense_0 = new Linear(init, 2 * FOURIER.frequencies, EMBEDDING, { initScale: 1 });
    this.Conv_0 = new Conv2d(init, channels, c0, { stride: 2, initScale: 1 });
    this.ResnetBlockDDPM_0 = block(c0, c1);
    this.ResnetBlockDDPM_1 = block(c1, c2);
    this.GroupNorm_0 = new GroupNorm(init, c2, { groups: groupsFor(c2) });
    this.Dense_1 = new Linear(init, c2 * (imageSize / 4) ** 2, features, { initScale: 1 });
    this.Dense_2 = new Linear(init, features, classes);
    this.classes = classes;
    this.#image = { channels, imageSize };
    this.nameParts();
  }

  forward(x: Tensor, sigma: Tensor): Tensor {
    return this.Dense_2.run(this.features(x, sigma));
  }

  /** What the last layer sees: x [n,channels,h,w], sigma [n] -> [n,features]. */
  features(x: Tensor, sigma: Tensor): Tensor {
    requireImages("ClassifierSmall", x, sigma, this.#image);
    return x.engine.scope(() => {
      const embedding = this.Dense_0.run(this.GaussianFourierProjection_0.run(log(sigma))); // [n,64]
      const half = this.ResnetBlockDDPM_0.run(this.Conv_0.run(standardized(x, sigma)), embedding);
      const quarter = this.ResnetBlockDDPM_1.run(avgPool2d(half, { kernel: 2 }), embedding);
      const maps = this.GroupNorm_0.run(quarter, { act: "swish" });
      return silu(this.Dense_1.run(reshape(maps, [x.dim(0), -1])));
    });
  }
}

/** x - mean over the deviation of images and noise together, DATA's and sigma [n]. */
const standardized = (x: Tensor, sigma: Tensor): Tensor =>
  div(sub(x, DATA.mean), perSample(sqrt(add(square(sigma), DATA.std ** 2)), x));

function requireSizes({ imageSize, widths, ...counts }: Required<ClassifierSmallOptions>): void {
  const named = Object.fromEntries(widths.map((width, i) => [`widths[${i}]`, width]));
  requireCounts("classifier-small", { ...counts, ...named });
  if (!Number.isInteger(imageSize) || imageSize < 4 || imageSize % 4 !== 0)
    throw new UsageError(
      `classifier-small: got images of ${imageSize} pixels, expected a multiple of 4; set data.size`,
    );
}
