import { UsageError } from "../engine/errors.ts";
import { requireSigmas } from "../engine/noise-scales.ts";
import { embedding, resizeNearest, scale, sub } from "../engine/ops/index.ts";
import type { Tensor } from "../engine/tensor.ts";
import { ResidualBlock } from "./blocks/index.ts";
import type { Init } from "./init.ts";
import { ConditionalInstanceNorm2dPlus, Conv2d, MeanPoolConv } from "./layers/index.ts";
import { Module } from "./module.ts";
import { dividedBySigma, requireLabelled } from "./noise-condition.ts";
import type { Network } from "./prediction.ts";
import { requireCounts } from "./require.ts";

/** The coarsest level has a quarter of the side. */
const SHRINK = 4;

export interface NcsnSmallOptions {
  /** Channels of the images. */
  imageChannels: number;
  /** Their side, a multiple of 4. */
  imageSize: number;
  /** Channels at full, half and quarter size. */
  channels?: readonly [number, number, number];
  /** Noise scales by label. */
  sigmas: readonly number[];
}

/**
 * A noise conditional score network small enough for a processor: NCSN's residual blocks, conditional instance norm++
 * and dilation (Song & Ermon 2019) on three levels that meet by addition instead of RefineNet's four cascades, and
 * the output divided by sigma (Song & Ermon 2020, technique 3). Ours; for full fidelity take "ncsn".
 */
export class NcsnSmall extends Module<[x: Tensor, labels: Tensor], Tensor> implements Network<"score"> {
  readonly predicts = "score" as const;
  readonly begin_conv: Conv2d;
  readonly fine: ResidualBlock;
  readonly down1: MeanPoolConv;
  readonly middle: ResidualBlock;
  readonly down2: MeanPoolConv;
  readonly coarse: ResidualBlock[];
  readonly up1: Conv2d;
  readonly middle_out: ResidualBlock;
  readonly up2: Conv2d;
  readonly fine_out: ResidualBlock;
  readonly normalizer: ConditionalInstanceNorm2dPlus;
  readonly end_conv: Conv2d;
  readonly sigmas: Tensor;

  readonly #channels: number;

  /** Throws UsageError for images whose side is no multiple of 4, for widths below 1 and sigmas that do not descend. */
  constructor(init: Init, { imageChannels, imageSize, channels = [8, 24, 48], sigmas }: NcsnSmallOptions) {
    super();
    if (imageSize % SHRINK !== 0)
      throw new UsageError(
        `ncsn-small: got images of ${imageSize} pixels, expected a multiple of ${SHRINK}; set data.size`,
      );
    requireSigmas("ncsn-small", sigmas);
    const [c0, c1, c2] = channels;
    requireCounts("ncsn-small", { imageChannels, "channels[0]": c0, "channels[1]": c1, "channels[2]": c2 });
    this.#channels = imageChannels;
    const norm = (i: Init, c: number) => new ConditionalInstanceNorm2dPlus(i, c, sigmas.length);
    const block = (c: number, dilation?: number) =>
      new ResidualBlock(init, c, c, { norm, act: "elu", dilation });
    this.begin_conv = new Conv2d(init, imageChannels, c0);
    this.fine = block(c0);
    this.down1 = new MeanPoolConv(init, c0, c1);
    this.middle = block(c1);
    this.down2 = new MeanPoolConv(init, c1, c2);
    this.coarse = [block(c2), block(c2, 2)];
    this.up1 = new Conv2d(init, c2, c1);
    this.middle_out = block(c1);
    this.up2 = new Conv2d(init, c1, c0);
    this.fine_out = block(c0);
    this.normalizer = norm(init, c0);
    this.end_conv = new Conv2d(init, c0, imageChannels);
    this.sigmas = init.engine.untrack(init.engine.tensor(Float32Array.from(sigmas), [sigmas.length, 1]));
    this.nameParts();
  }

  /** x [n,imageChannels,h,w], labels i32 [n] -> the score, as x. Throws UsageError for others, and sides that are no multiples of 4. */
  forward(x: Tensor, labels: Tensor): Tensor {
    requireLabelled("ncsn-small", x, labels, { channels: this.#channels, shrink: SHRINK });
    const fine = this.fine.run(this.begin_conv.run(sub(scale(x, 2), 1)), labels);
    const middle = this.middle.run(this.down1.run(fine), labels);
    let h = this.down2.run(middle);
    for (const block of this.coarse) h = block.run(h, labels);
    h = this.middle_out.run(addUpsampled(middle, this.up1.run(h)), labels);
    h = this.fine_out.run(addUpsampled(fine, this.up2.run(h)), labels);
    const y = this.end_conv.run(this.normalizer.run(h, { labels, act: "elu" }));
    return dividedBySigma(y, embedding(this.sigmas, labels));
  }
}

const addUpsampled = (x: Tensor, coarser: Tensor): Tensor =>
  resizeNearest(coarser, [x.dim(2), x.dim(3)], { residual: x });
