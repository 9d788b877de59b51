import { UsageError } from "../engine/errors.ts";
import { add, mul, type Pair } from "../engine/ops/index.ts";
import type { Tensor } from "../engine/tensor.ts";
import { RefineBlock, type RefineOptions, ResidualBlock, type ResidualOptions } from "./blocks/index.ts";
import type { Init } from "./init.ts";
import { type ActivationName, Conv2d, type MakeNorm, type Norm, requireActivation } from "./layers/index.ts";
import { Module } from "./module.ts";
import { dividedBySigma, requireLabelled, sigmaAt, sigmaTable } from "./noise-condition.ts";
import type { Network } from "./prediction.ts";
import { requireCounts } from "./require.ts";

export interface RefineNetOptions {
  /** Of the image: 3, or 1 for MNIST. */
  channels: number;
  /** Side of the image in pixels; even, for the deeper networks a multiple of 4 or 8. */
  imageSize: number;
  /** Width of the network, 128 in the papers. */
  ngf: number;
  act?: ActivationName;
  /** The data went through a logit transform: x is not mapped from [0, 1] to [-1, 1]. */
  logitTransform?: boolean;
  /** The data lie in [-1, 1] already. */
  rescaled?: boolean;
}

/** Two residual blocks, and the cascade that takes what they give. */
export interface Stage {
  /** Official names. */
  readonly res: string;
  readonly refine: string;
  /** Channels in units of ngf. */
  readonly width: number;
  /** Instead of halving the image. The first stage does neither. */
  readonly dilation?: number;
}

/** Song & Ermon 2019, appendix A: four cascades, the image halved once. From fine to coarse. */
export const fourStages: readonly Stage[] = [
  { res: "res1", refine: "refine4", width: 1 },
  { res: "res2", refine: "refine3", width: 2 },
  { res: "res3", refine: "refine2", width: 2, dilation: 2 },
  { res: "res4", refine: "refine1", width: 2, dilation: 4 },
];

/** Song & Ermon 2020, for images of 96 and 128 pixels: halved twice. */
export const fiveStages: readonly Stage[] = [
  { res: "res1", refine: "refine5", width: 1 },
  { res: "res2", refine: "refine4", width: 2 },
  { res: "res3", refine: "refine3", width: 2 },
  { res: "res4", refine: "refine2", width: 4, dilation: 2 },
  { res: "res5", refine: "refine1", width: 4, dilation: 4 },
];

/** Song & Ermon 2020, for images of 256 pixels: halved three times. */
export const sixStages: readonly Stage[] = [
  { res: "res1", refine: "refine5", width: 1 },
  { res: "res2", refine: "refine4", width: 2 },
  { res: "res3", refine: "refine3", width: 2 },
  { res: "res31", refine: "refine31", width: 2 },
  { res: "res4", refine: "refine2", width: 4, dilation: 2 },
  { res: "res5", refine: "refine1", width: 4, dilation: 4 },
];

/** In what the networks of 2019 and of 2020 differ. */
export interface RefineNetDesign {
  readonly stages: readonly Stage[];
  /** Of the residual blocks. */
  readonly norm: MakeNorm;
  /** Before the last convolution. */
  readonly lastNorm: MakeNorm;
  readonly cascade: Pick<RefineOptions, "norm" | "pool">;
  /** Noise level by label: the output is divided by it. */
  readonly sigmas?: readonly number[];
}

/**
 * The score networks of Song & Ermon 2019 and 2020, a RefineNet (Lin et al. 2017): x [n,channels,s,s] and labels [n]
 * (i32, the noise level of each sample) -> the score, x's shape. Stages of residual blocks go from fine to coarse,
 * first halving the image and then dilating their convolutions; cascades go back, each from its stage's output and the
 * coarser cascade's to the width of the next finer stage.
 */
export abstract class RefineNet
  extends Module<[x: Tensor, labels: Tensor], Tensor>
  implements Network<"score">
{
  readonly predicts = "score" as const;
  readonly sigmas?: Tensor;
  readonly begin_conv: Conv2d;
  readonly normalizer: Norm;
  readonly end_conv: Conv2d;
  readonly options: Required<RefineNetOptions>;
  /** Of the stages, fine to coarse. */
  readonly #encoder: readonly (readonly ResidualBlock[])[];
  /** Coarse to fine. */
  readonly #cascades: readonly RefineBlock[];
  /** How much smaller the image becomes. */
  readonly #shrink: number;

  constructor(init: Init, options: RefineNetOptions, design: RefineNetDesign) {
    super();
    const who = new.target.name;
    const { stages, norm, lastNorm, cascade, sigmas } = design;
    this.#shrink = 2 ** stages.slice(1).filter(({ dilation }) => dilation === undefined).length;
    this.options = requireOptions(who, options, this.#shrink);
    const { channels, ngf, act } = this.options;
    if (sigmas) this.sigmas = sigmaTable(who, init, sigmas);
    this.begin_conv = new Conv2d(init, channels, ngf);
    this.normalizer = lastNorm(init, ngf);
    this.end_conv = new Conv2d(init, ngf, channels);

    const width = (stage: number) => stages[Math.max(stage, 0)]!.width * ngf;
    const residual = (inputs: number, outputs: number, rest: Partial<ResidualOptions>) =>
      new ResidualBlock(init, inputs, outputs, { norm, act, ...rest });
    this.#encoder = stages.map(({ dilation }, i) => [
      residual(width(i - 1), width(i), { dilation, resample: i > 0 ? "down" : undefined }),
      residual(width(i), width(i), { dilation }),
    ]);
    const coarsest = stages.length - 1;
    this.#cascades = [...stages.keys()].reverse().map((i) => {
      const [start, end] = [i === coarsest, i === 0];
      const inputs = start ? [width(i)] : [width(i), width(i)];
      return new RefineBlock(init, inputs, width(i - 1), { ...cascade, act, start, end });
    });
    const cascades = this.#cascades.map((part, i) => [stages[coarsest - i]!.refine, part] as const);
    Object.assign(this, Object.fromEntries(stages.map(({ res }, i) => [res, this.#encoder[i]])));
    Object.assign(this, Object.fromEntries(cascades.sort(([a], [b]) => (a < b ? -1 : 1)))); // refine3 before refine31
    this.nameParts();
  }

  forward(x: Tensor, labels: Tensor): Tensor {
    requireLabelled(this.constructor.name, x, labels, {
      channels: this.options.channels,
      shrink: this.#shrink,
    });
    const { logitTransform, rescaled, act } = this.options;
    let h = this.begin_conv.run(logitTransform || rescaled ? x : add(mul(x, 2), -1));
    const features = this.#encoder.map((blocks) => {
      for (const block of blocks) h = block.run(h, labels);
      return h;
    });
    this.#cascades.forEach((cascade, i) => {
      const feature = features.at(-1 - i)!;
      h = cascade.run(i === 0 ? [feature] : [feature, h], sizeOf(feature), labels);
    });
    const y = this.end_conv.run(this.normalizer.run(h, { labels, act }));
    return this.sigmas ? dividedBySigma(y, sigmaAt(this.sigmas, labels)) : y;
  }
}

const sizeOf = (x: Tensor): Pair => [x.dim(2), x.dim(3)];

const TIMES: Readonly<Record<number, string>> = { 2: "once", 4: "twice", 8: "three times" };

function requireOptions(who: string, options: RefineNetOptions, shrink: number): Required<RefineNetOptions> {
  const { channels, imageSize, ngf, act = "elu", logitTransform = false, rescaled = false } = options;
  requireCounts(who, { channels, imageSize, ngf });
  if (imageSize % shrink !== 0)
    throw new UsageError(
      `${who}: got imageSize ${imageSize}, expected a multiple of ${shrink}; the network halves the image ${TIMES[shrink]}`,
    );
  return { channels, imageSize, ngf, act: requireActivation(who, act), logitTransform, rescaled };
}
