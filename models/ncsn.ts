import { UsageError } from "../engine/errors.ts";
import { add, mul, type Pair } from "../engine/ops/index.ts";
import { showShape } from "../engine/shapes.ts";
import type { Tensor } from "../engine/tensor.ts";
import { RefineBlock, ResidualBlock } from "./blocks/index.ts";
import type { Init } from "./init.ts";
import {
  type ActivationName,
  ConditionalInstanceNorm2dPlus,
  Conv2d,
  type MakeNorm,
  requireActivation,
} from "./layers/index.ts";
import { Module } from "./module.ts";

export interface NcsnOptions {
  /** Of the image: 3, or 1 for MNIST. */
  channels: number;
  /** Side of the image in pixels; even. */
  imageSize: number;
  /** Width of the network, 128 in the paper. */
  ngf: number;
  /** Noise levels. */
  numClasses: number;
  /** The data went through a logit transform: x is not rescaled to [-1, 1]. */
  logitTransform?: boolean;
  act?: ActivationName;
}

/**
 * The noise conditional score network of Song & Ermon 2019: x [n,channels,s,s] in [0, 1] and labels [n] (i32, the
 * noise level of each sample) -> the score, x's shape, not divided by sigma. Appendix A: a RefineNet of four
 * cascades whose residual blocks halve the image once and are dilated by 2 and 4 in the last two, conditional
 * instance norm++ before every convolution. Official name: CondRefineNetDilated.
 */
export class Ncsn extends Module<[x: Tensor, labels: Tensor], Tensor> {
  readonly begin_conv: Conv2d;
  readonly normalizer: ConditionalInstanceNorm2dPlus;
  readonly end_conv: Conv2d;
  readonly res1: readonly ResidualBlock[];
  readonly res2: readonly ResidualBlock[];
  readonly res3: readonly ResidualBlock[];
  readonly res4: readonly ResidualBlock[];
  readonly refine1: RefineBlock;
  readonly refine2: RefineBlock;
  readonly refine3: RefineBlock;
  readonly refine4: RefineBlock;
  readonly options: Required<NcsnOptions>;

  constructor(init: Init, options: NcsnOptions) {
    super();
    this.options = requireOptions(options);
    const { channels, imageSize, ngf, numClasses, act } = this.options;
    const norm: MakeNorm = (i, width) => new ConditionalInstanceNorm2dPlus(i, width, numClasses);
    const wide = 2 * ngf;
    this.begin_conv = new Conv2d(init, channels, ngf);
    this.normalizer = new ConditionalInstanceNorm2dPlus(init, ngf, numClasses);
    this.end_conv = new Conv2d(init, ngf, channels);

    const stage = (
      inputs: number,
      outputs: number,
      first: { resample?: "down"; dilation?: number; adjustPadding?: boolean },
    ) => [
      new ResidualBlock(init, inputs, outputs, { norm, act, ...first }),
      new ResidualBlock(init, outputs, outputs, { norm, act, dilation: first.dilation }),
    ];
    this.res1 = stage(ngf, ngf, {});
    this.res2 = stage(ngf, wide, { resample: "down" });
    this.res3 = stage(wide, wide, { resample: "down", dilation: 2 });
    this.res4 = stage(wide, wide, { resample: "down", dilation: 4, adjustPadding: imageSize === 28 }); // no effect: dilated

    const refine = { norm, act, pool: "average" } as const;
    this.refine1 = new RefineBlock(init, [wide], wide, { ...refine, start: true });
    this.refine2 = new RefineBlock(init, [wide, wide], wide, refine);
    this.refine3 = new RefineBlock(init, [wide, wide], ngf, refine);
    this.refine4 = new RefineBlock(init, [ngf, ngf], ngf, { ...refine, end: true });
    this.nameParts();
  }

  forward(x: Tensor, labels: Tensor): Tensor {
    const { logitTransform, act } = this.options;
    this.#requireInput(x, labels);
    const through = (stage: readonly ResidualBlock[], h: Tensor) =>
      stage.reduce((y, block) => block.run(y, labels), h);

    const h = this.begin_conv.run(logitTransform ? x : add(mul(x, 2), -1));
    const layer1 = through(this.res1, h); // [n,ngf,s,s]
    const layer2 = through(this.res2, layer1); // [n,2 ngf,s/2,s/2], as the next two
    const layer3 = through(this.res3, layer2);
    const layer4 = through(this.res4, layer3);

    const ref1 = this.refine1.run([layer4], sizeOf(layer4), labels);
    const ref2 = this.refine2.run([layer3, ref1], sizeOf(layer3), labels);
    const ref3 = this.refine3.run([layer2, ref2], sizeOf(layer2), labels);
    const ref4 = this.refine4.run([layer1, ref3], sizeOf(layer1), labels); // [n,ngf,s,s]
    return this.end_conv.run(this.normalizer.run(ref4, { labels, act }));
  }

  #requireInput(x: Tensor, labels: Tensor): void {
    const { channels, imageSize } = this.options;
    const fits = x.rank === 4 && x.dim(1) === channels && x.dim(2) % 2 === 0 && x.dim(3) % 2 === 0;
    if (!fits)
      throw new UsageError(
        `Ncsn: got x ${showShape(x.shape)}, expected [n,${channels},${imageSize},${imageSize}]`,
      );
    if (labels.rank !== 1 || labels.dim(0) !== x.dim(0) || labels.dtype !== "i32")
      throw new UsageError(
        `Ncsn: got labels ${labels.dtype} ${showShape(labels.shape)} for x ${showShape(x.shape)}, expected i32 [${x.dim(0)}]`,
      );
  }
}

const sizeOf = (x: Tensor): Pair => [x.dim(2), x.dim(3)];

function requireOptions(options: NcsnOptions): Required<NcsnOptions> {
  const { logitTransform = false, act = "elu" } = options;
  for (const name of ["channels", "imageSize", "ngf", "numClasses"] as const)
    if (!Number.isInteger(options[name]) || options[name] < 1)
      throw new UsageError(`Ncsn: got ${name} ${options[name]}, expected a whole number of at least 1`);
  if (options.imageSize % 2 !== 0)
    throw new UsageError(
      `Ncsn: got imageSize ${options.imageSize}, expected an even number; the network halves the image once`,
    );
  return { ...options, logitTransform, act: requireActivation("Ncsn", act) };
}
