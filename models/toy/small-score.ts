import { UsageError } from "../../engine/errors.ts";
import { type ConvOptions, convTranspose2d, elu, reshape } from "../../engine/ops/index.ts";
import { showShape } from "../../engine/shapes.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";
import { Conv2d, GroupNorm, LayerNorm, Linear } from "../layers/index.ts";
import { Module } from "../module.ts";
import type { Network } from "../prediction.ts";

/** Side of the images. */
const SIDE = 10;
const HIDDEN = 256;
const TORCH_EPS = 1e-5;

export interface SmallScoreOptions {
  /** Of the image. */
  channels: number;
  /** A quarter of the network's width. */
  nef: number;
}

type Layer = Module<[x: Tensor], Tensor>;

/**
 * The score of images of 10 x 10 pixels at one noise scale: x [n,channels,10,10] -> the same shape. Convolutions down
 * to 5 x 5 and up again, then two linear layers over all pixels. SmallScore of Song & Ermon's code, 2019.
 */
export class SmallScore extends Module<[x: Tensor], Tensor> implements Network<"score"> {
  readonly predicts = "score" as const;
  readonly u_net: readonly Layer[];
  readonly fc: readonly Layer[];
  readonly #channels: number;

  constructor(init: Init, { channels, nef }: SmallScoreOptions) {
    super();
    const width = 4 * nef;
    const pixels = channels * SIDE ** 2;
    const halving = { kernel: 4, stride: 2, padding: 1 };
    const norm = (c: number) => new GroupNorm(init, c, { groups: 4, eps: TORCH_EPS });
    this.u_net = [
      new Conv2d(init, channels, width, halving), // [n,width,5,5]
      norm(width),
      new Elu(),
      new Conv2d(init, width, 2 * width),
      norm(2 * width),
      new Elu(),
      new ConvTranspose2d(init, 2 * width, width, { kernel: 3, padding: 1 }),
      norm(width),
      new Elu(),
      new ConvTranspose2d(init, width, channels, halving), // [n,channels,10,10]
      new Elu(),
    ];
    this.fc = [
      new Linear(init, pixels, HIDDEN),
      new LayerNorm(init, HIDDEN),
      new Elu(),
      new Linear(init, HIDDEN, pixels),
    ];
    this.#channels = channels;
    this.nameParts();
  }

  forward(x: Tensor): Tensor {
    if (x.rank !== 4 || x.dim(1) !== this.#channels || x.dim(2) !== SIDE || x.dim(3) !== SIDE)
      throw new UsageError(
        `SmallScore: got x ${showShape(x.shape)}, expected [n,${this.#channels},${SIDE},${SIDE}]`,
      );
    const h = through(this.u_net, x);
    return reshape(through(this.fc, reshape(h, [x.dim(0), -1])), x.shape);
  }
}

const through = (layers: readonly Layer[], x: Tensor): Tensor => layers.reduce((h, layer) => layer.run(h), x);

/** Holds an activation's place among the numbered layers. */
class Elu extends Module<[x: Tensor], Tensor> {
  forward(x: Tensor): Tensor {
    return elu(x);
  }
}

/** x [n,in,h,w] -> [n,out,h',w'], as torch's ConvTranspose2d; weight [in,out,k,k]. */
class ConvTranspose2d extends Module<[x: Tensor], Tensor> {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly options: ConvOptions;

  constructor(
    init: Init,
    inChannels: number,
    outChannels: number,
    options: ConvOptions & { kernel: number },
  ) {
    super();
    const { kernel, ...rest } = options;
    const fanIn = outChannels * kernel ** 2; // torch's, for which the second axis is that of the inputs
    this.weight = init.fanIn([inChannels, outChannels, kernel, kernel], fanIn);
    this.bias = init.fanIn([outChannels], fanIn);
    this.options = rest;
  }

  forward(x: Tensor): Tensor {
    return convTranspose2d(x, this.weight, this.bias, this.options);
  }
}
