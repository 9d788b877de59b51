import { UsageError } from "../engine/errors.ts";
import { add, cast, mul } from "../engine/ops/index.ts";
import type { Tensor } from "../engine/tensor.ts";
import { ResnetBlockDDPM } from "./blocks/index.ts";
import type { Init } from "./init.ts";
import {
  AttnBlock,
  activation,
  Conv2d,
  Downsample,
  GroupNorm,
  Linear,
  timestepEmbedding,
  Upsample,
} from "./layers/index.ts";
import { Module } from "./module.ts";
import { dividedBySigma, requireImages, sigmaAt, sigmaTable } from "./noise-condition.ts";
import { requireUNetOptions, type ScoreUNetOptions, withDefaults } from "./options.ts";
import type { Network, Prediction, Training } from "./prediction.ts";
import { UNet } from "./unet.ts";

/** Of every norm. */
const GROUPS = 32;

/** What is left out is what the official configuration for CIFAR-10 says. */
export type DdpmOptions<P extends Prediction = Prediction> = ScoreUNetOptions<P>;

/**
 * The network of DDPM (Ho et al. 2020, appendix B, as score_sde builds it): x [n,channels,s,s], in [0, 1] unless
 * centered, and each sample's label [n], which may be a fraction (f32, or i32) -> what it predicts, x's shape. With
 * dropout, training gives the source of the masks; without one nothing is dropped. A label outside `sigmas` gives NaN
 * where the output is divided by sigma. Official name: DDPM.
 */
export class Ddpm<P extends Prediction = Prediction>
  extends Module<[x: Tensor, labels: Tensor, training?: Training], Tensor>
  implements Network<P>
{
  readonly sigmas: Tensor;
  /** Every module in the order of the published list, for its name; what it is for, the fields below know. */
  readonly all_modules: readonly Module[];
  readonly predicts: P;
  readonly options: Required<DdpmOptions<P>>;
  readonly #embed: readonly [Linear, Linear];
  readonly #begin: Conv2d;
  readonly #unet: UNet;
  readonly #end: { norm: GroupNorm; conv: Conv2d };

  /** Throws UsageError for options that are out of range or contradict each other. */
  constructor(init: Init, options: DdpmOptions<P>) {
    super();
    const o = requireOptions(options);
    const { channels, nf, act, dropout, resampWithConv: withConv } = o;
    const modules: Module[] = [];
    const place = <M extends Module>(module: M): M => {
      modules.push(module);
      return module;
    };
    this.predicts = o.predicts;
    this.options = o;
    this.sigmas = sigmaTable("Ddpm", init, o.sigmas);
    this.all_modules = modules;

    const embedding = 4 * nf;
    const linear = (width: number) => place(new Linear(init, width, embedding, { initScale: 1 }));
    const block = { act, embedding, dropout, groups: () => GROUPS };
    this.#embed = [linear(nf), linear(embedding)];
    this.#begin = place(new Conv2d(init, channels, nf, { initScale: 1 }));
    this.#unet = new UNet(
      {
        resnet: (i, o) => place(new ResnetBlockDDPM(init, i, o, block)),
        attention: (c) => place(new AttnBlock(init, c, { groups: GROUPS })),
        down: (c) => place(new Downsample(init, c, { withConv })),
        up: (c) => place(new Upsample(init, c, { withConv })),
      },
      o,
    );
    this.#end = {
      norm: place(new GroupNorm(init, this.#unet.channels, { groups: GROUPS })),
      conv: place(new Conv2d(init, this.#unet.channels, channels, { initScale: 0 })),
    };
    this.nameParts();
  }

  forward(x: Tensor, labels: Tensor, { dropout: masks }: Training = {}): Tensor {
    const { nf, act, centered, scaleBySigma } = this.options;
    requireImages("Ddpm", x, labels, this.options);

    const image = centered ? x : add(mul(x, 2), -1);
    const [first, second] = this.#embed;
    const waves = timestepEmbedding(cast(labels, "f32"), nf); // [n,nf]
    const embedding = second.run(activation(first.run(waves), act)); // [n,4 nf]
    const { features } = this.#unet.run(this.#begin.run(image), image, embedding, masks);
    const y = this.#end.conv.run(this.#end.norm.run(features, { act }));
    return scaleBySigma ? dividedBySigma(y, sigmaAt(this.sigmas, labels)) : y;
  }
}

function requireOptions<P extends Prediction>(options: DdpmOptions<P>): Required<DdpmOptions<P>> {
  const who = "Ddpm";
  const defaults = {
    resampWithConv: true,
    conditional: true,
    act: "swish",
    scaleBySigma: false,
    centered: true,
    dropout: 0,
  } as const;
  const o: Required<DdpmOptions<P>> = withDefaults(defaults, options);
  if (!o.conditional)
    throw new UsageError(
      `${who}: got conditional false, expected true; for a network that is not told the noise take NcsnPP ` +
        "with resblockType ddpm",
    );
  requireUNetOptions(who, o);
  if (o.nf % GROUPS !== 0)
    throw new UsageError(`${who}: got nf ${o.nf}, expected a multiple of ${GROUPS}, the groups of its norms`);
  return o;
}
