import { UsageError } from "../engine/errors.ts";
import { add, cast, log, mul } from "../engine/ops/index.ts";
import type { Tensor } from "../engine/tensor.ts";
import { ResnetBlockBigGAN, ResnetBlockDDPM } from "./blocks/index.ts";
import type { Init } from "./init.ts";
import {
  AttnBlock,
  activation,
  type CombineMethod,
  Conv2d,
  Downsample,
  GaussianFourierProjection,
  groupsFor,
  Linear,
  type Resampler,
  resampler,
  timestepEmbedding,
  Upsample,
} from "./layers/index.ts";
import { Module } from "./module.ts";
import { dividedBySigma, requireImages, sigmaAt, sigmaTable } from "./noise-condition.ts";
import { requireUNetOptions, type ScoreUNetOptions, withDefaults } from "./options.ts";
import type { Network, Prediction, Training } from "./prediction.ts";
import {
  inputResidual,
  inputSkip,
  normThenConv,
  outputResidual,
  outputSkip,
  type PyramidOptions,
} from "./pyramids.ts";
import { requireOneOf } from "./require.ts";
import { UNet, type UNetParts } from "./unet.ts";

export const resblockTypes = ["ddpm", "biggan"] as const;
export const progressiveTypes = ["none", "output_skip", "residual"] as const;
export const progressiveInputTypes = ["none", "input_skip", "residual"] as const;
export const progressiveCombineTypes = ["sum", "cat"] as const satisfies readonly CombineMethod[];
export const embeddingTypes = ["fourier", "positional"] as const;

/** What is left out is what the official configurations of NCSN++ for CIFAR-10 say. */
export interface NcsnPPOptions<P extends Prediction = Prediction> extends ScoreUNetOptions<P> {
  /** Resample through a filter with these taps, against aliasing. */
  fir?: boolean;
  firKernel?: readonly number[];
  /** Divide sums of a path and its skip by sqrt 2. */
  skipRescale?: boolean;
  /** BigGAN's blocks resample themselves; between those of DDPM stand layers that do. */
  resblockType?: (typeof resblockTypes)[number];
  /** How the output leaves the way up at every size. */
  progressive?: (typeof progressiveTypes)[number];
  /** How the image enters the way down at every size. */
  progressiveInput?: (typeof progressiveInputTypes)[number];
  progressiveCombine?: CombineMethod;
  /** Told sigma as random Fourier features, or a label as sinusoids. */
  embeddingType?: (typeof embeddingTypes)[number];
  /** Standard deviation of the Fourier features' frequencies. */
  fourierScale?: number;
  /** Of the convolutions that end a block or give an output; 0 counts as 1e-10. */
  initScale?: number;
}

/**
 * NCSN++ and, with naive resampling and no pyramids, DDPM++ (Song et al. 2021, section 4.4 and appendix H): x
 * [n,channels,s,s], in [0, 1] unless centered, and what it is told of each sample's noise [n] -> what it predicts, x's
 * shape. A "fourier" network is told sigma (f32, above 0); a "positional" one a label, which may be a fraction (f32,
 * or i32). With dropout, training gives the source of the masks; without one nothing is dropped. A label outside
 * `sigmas` gives NaN where the output is divided by sigma. Official name: NCSNpp.
 */
export class NcsnPP<P extends Prediction = Prediction>
  extends Module<[x: Tensor, condition: Tensor, training?: Training], Tensor>
  implements Network<P>
{
  readonly sigmas: Tensor;
  /** Every module in the order of the published list, for its name; what it is for, the fields below know. */
  readonly all_modules: readonly Module[];
  readonly predicts: P;
  readonly options: Required<NcsnPPOptions<P>>;
  /** For the pyramids of images. */
  readonly resampler: Resampler;
  readonly #features: GaussianFourierProjection | undefined;
  readonly #embed: readonly [Linear, Linear] | undefined;
  readonly #begin: Conv2d;
  readonly #unet: UNet;
  /** Absent where the output pyramid is the output. */
  readonly #end: ((h: Tensor) => Tensor) | undefined;

  /** Throws UsageError for options that are out of range or contradict each other. */
  constructor(init: Init, options: NcsnPPOptions<P>) {
    super();
    const o = requireOptions(options);
    const { channels, nf, act, initScale } = o;
    const modules: Module[] = [];
    const place = <M extends Module>(module: M): M => {
      modules.push(module);
      return module;
    };
    this.predicts = o.predicts;
    this.options = o;
    this.sigmas = sigmaTable("NcsnPP", init, o.sigmas);
    this.all_modules = modules;

    const fourier = o.embeddingType === "fourier";
    const linear = (width: number) => place(new Linear(init, width, 4 * nf, { initScale: 1 }));
    if (fourier) this.#features = place(new GaussianFourierProjection(init, nf, { scale: o.fourierScale }));
    if (o.conditional) this.#embed = [linear(fourier ? 2 * nf : nf), linear(4 * nf)];
    this.#begin = place(new Conv2d(init, channels, nf, { initScale: 1 }));
    const fir = o.fir ? o.firKernel : undefined;
    this.resampler = resampler(init.engine, fir);
    const pyramid = { ...o, fir, resampler: this.resampler, combine: o.progressiveCombine, place };
    this.#unet = new UNet(partsOf(init, o, pyramid), o);
    if (o.progressive !== "output_skip")
      this.#end = normThenConv(init, this.#unet.channels, channels, initScale, { act, place });
    this.nameParts();
  }

  forward(x: Tensor, condition: Tensor, { dropout: masks }: Training = {}): Tensor {
    const { centered, scaleBySigma } = this.options;
    requireImages("NcsnPP", x, condition, this.options);
    if (this.#features && condition.dtype !== "f32")
      throw new UsageError(
        `NcsnPP: got noise condition ${condition.dtype}, expected sigma as f32; this network has Fourier features`,
      );

    const image = centered ? x : add(mul(x, 2), -1);
    const { features, collected } = this.#unet.run(
      this.#begin.run(image),
      image,
      this.#embedding(condition),
      masks,
    );
    const y = this.#end ? this.#end(features) : collected!;
    if (!scaleBySigma) return y;
    return dividedBySigma(y, this.#features ? condition : sigmaAt(this.sigmas, condition));
  }

  /** [n] -> [n,4 nf] */
  #embedding(condition: Tensor): Tensor | undefined {
    if (!this.#embed) return undefined;
    const [first, second] = this.#embed;
    const waves = this.#features
      ? this.#features.run(log(condition)) // [n,2 nf]
      : timestepEmbedding(cast(condition, "f32"), this.options.nf); // [n,nf]
    return second.run(activation(first.run(waves), this.options.act));
  }
}

type Options = Required<NcsnPPOptions>;

/** The blocks and resamplers of a configuration; each is placed as it is built. */
function partsOf(init: Init, options: Options, pyramid: PyramidOptions): UNetParts {
  const { nf, act, skipRescale, initScale, dropout, resampWithConv, resblockType } = options;
  const { fir, place } = pyramid;
  const common = { act, embedding: 4 * nf, skipRescale, initScale, dropout };
  const alike = {
    attention: (c: number) => place(new AttnBlock(init, c, { groups: groupsFor(c), initScale, skipRescale })),
    ...pyramidsOf(init, options, pyramid),
  };
  if (resblockType === "ddpm") {
    const resample = { withConv: resampWithConv, fir };
    return {
      ...alike,
      resnet: (i, o) => place(new ResnetBlockDDPM(init, i, o, { ...common, groups: groupsFor })),
      down: (c) => place(new Downsample(init, c, resample)),
      up: (c) => place(new Upsample(init, c, resample)),
    };
  }
  const block = (i: number, o: number, resample?: "up" | "down") =>
    place(new ResnetBlockBigGAN(init, i, o, { ...common, fir, resample }));
  return { ...alike, resnet: block, down: (c) => block(c, c, "down"), up: (c) => block(c, c, "up") };
}

function pyramidsOf(
  init: Init,
  { progressive, progressiveInput }: Options,
  pyramid: PyramidOptions,
): Pick<UNetParts, "input" | "output"> {
  const inputs = { none: undefined, input_skip: inputSkip, residual: inputResidual };
  const outputs = { none: undefined, output_skip: outputSkip, residual: outputResidual };
  return {
    input: inputs[progressiveInput]?.(init, pyramid),
    output: outputs[progressive]?.(init, pyramid),
  };
}

function requireOptions<P extends Prediction>(options: NcsnPPOptions<P>): Required<NcsnPPOptions<P>> {
  const who = "NcsnPP";
  const defaults = {
    resampWithConv: true,
    conditional: true,
    fir: true,
    firKernel: [1, 3, 3, 1],
    skipRescale: true,
    resblockType: "biggan",
    progressive: "none",
    progressiveInput: "residual",
    progressiveCombine: "sum",
    embeddingType: "fourier",
    fourierScale: 16,
    initScale: 0,
    act: "swish",
    scaleBySigma: true,
    centered: false,
    dropout: 0,
  } as const;
  const o: Required<NcsnPPOptions<P>> = withDefaults(defaults, options);
  requireUNetOptions(who, o);
  requireOneOf(who, "resblockType", o.resblockType, resblockTypes);
  requireOneOf(who, "progressive", o.progressive, progressiveTypes);
  requireOneOf(who, "progressiveInput", o.progressiveInput, progressiveInputTypes);
  requireOneOf(who, "progressiveCombine", o.progressiveCombine, progressiveCombineTypes);
  requireOneOf(who, "embeddingType", o.embeddingType, embeddingTypes);
  return o;
}
