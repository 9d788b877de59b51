import type { Engine } from "../engine/engine.ts";
import { avgPool2d, concat, maxPool2d, type Pair } from "../engine/ops/index.ts";
import type { Tensor } from "../engine/tensor.ts";
import { InceptionConv, type InceptionConvOptions } from "./inception-conv.ts";
import { Module } from "./module.ts";

// The blocks of Szegedy et al. 2016 under torchvision's names. A, C and E average over the real neighbours only, without
// the padding, as the TensorFlow graph does from which FID's weights are.

/** Makes a convolution of so many inputs and outputs. */
type MakeConv = (
  inChannels: number,
  outChannels: number,
  kernel: number | Pair,
  options?: InceptionConvOptions,
) => InceptionConv;

/** Widths of the blocks are given as those of the full network and divided by `divisor`. */
export interface BlockOptions {
  readonly engine: Engine;
  readonly divisor: number;
}

/** A convolution with widths of the full network. */
export const convOf =
  ({ engine, divisor }: BlockOptions): MakeConv =>
  (inChannels, outChannels, kernel, options) =>
    new InceptionConv(engine, inChannels / divisor, outChannels / divisor, kernel, options);

const ROW = [1, 7] as const;
const COLUMN = [7, 1] as const;
const ALONG_ROW = { padding: [0, 3] } as const;
const ALONG_COLUMN = { padding: [3, 0] } as const;

const halved = (x: Tensor): Tensor => maxPool2d(x, { kernel: 3, stride: 2 });
const neighbourMean = (x: Tensor): Tensor =>
  avgPool2d(x, { kernel: 3, stride: 1, padding: 1, countIncludePad: false });
const neighbourMax = (x: Tensor): Tensor => maxPool2d(x, { kernel: 3, stride: 1, padding: 1 });

const through = (x: Tensor, ...convs: readonly InceptionConv[]): Tensor =>
  convs.reduce((h, conv) => conv.run(h), x);

/** x [n,in,h,w] -> [n,224 + poolFeatures,h,w]. */
export class InceptionA extends Module<[x: Tensor], Tensor> {
  readonly branch1x1: InceptionConv;
  readonly branch5x5_1: InceptionConv;
  readonly branch5x5_2: InceptionConv;
  readonly branch3x3dbl_1: InceptionConv;
  readonly branch3x3dbl_2: InceptionConv;
  readonly branch3x3dbl_3: InceptionConv;
  readonly branch_pool: InceptionConv;

  constructor(options: BlockOptions, inChannels: number, poolFeatures: number) {
    super();
    const conv = convOf(options);
    this.branch1x1 = conv(inChannels, 64, 1);
    this.branch5x5_1 = conv(inChannels, 48, 1);
    this.branch5x5_2 = conv(48, 64, 5, { padding: 2 });
    this.branch3x3dbl_1 = conv(inChannels, 64, 1);
    this.branch3x3dbl_2 = conv(64, 96, 3, { padding: 1 });
    this.branch3x3dbl_3 = conv(96, 96, 3, { padding: 1 });
    this.branch_pool = conv(inChannels, poolFeatures, 1);
  }

  forward(x: Tensor): Tensor {
    return concat(
      [
        this.branch1x1.run(x),
        through(x, this.branch5x5_1, this.branch5x5_2),
        through(x, this.branch3x3dbl_1, this.branch3x3dbl_2, this.branch3x3dbl_3),
        this.branch_pool.run(neighbourMean(x)),
      ],
      1,
    );
  }
}

/** x [n,in,h,w] -> [n,480 + in,h',w'], h' and w' about half. */
export class InceptionB extends Module<[x: Tensor], Tensor> {
  readonly branch3x3: InceptionConv;
  readonly branch3x3dbl_1: InceptionConv;
  readonly branch3x3dbl_2: InceptionConv;
  readonly branch3x3dbl_3: InceptionConv;

  constructor(options: BlockOptions, inChannels: number) {
    super();
    const conv = convOf(options);
    this.branch3x3 = conv(inChannels, 384, 3, { stride: 2 });
    this.branch3x3dbl_1 = conv(inChannels, 64, 1);
    this.branch3x3dbl_2 = conv(64, 96, 3, { padding: 1 });
    this.branch3x3dbl_3 = conv(96, 96, 3, { stride: 2 });
  }

  forward(x: Tensor): Tensor {
    return concat(
      [
        this.branch3x3.run(x),
        through(x, this.branch3x3dbl_1, this.branch3x3dbl_2, this.branch3x3dbl_3),
        halved(x),
      ],
      1,
    );
  }
}

/** x [n,in,h,w] -> [n,768,h,w], by rows and columns of 7 of `width` maps. */
export class InceptionC extends Module<[x: Tensor], Tensor> {
  readonly branch1x1: InceptionConv;
  readonly branch7x7_1: InceptionConv;
  readonly branch7x7_2: InceptionConv;
  readonly branch7x7_3: InceptionConv;
  readonly branch7x7dbl_1: InceptionConv;
  readonly branch7x7dbl_2: InceptionConv;
  readonly branch7x7dbl_3: InceptionConv;
  readonly branch7x7dbl_4: InceptionConv;
  readonly branch7x7dbl_5: InceptionConv;
  readonly branch_pool: InceptionConv;

  constructor(options: BlockOptions, inChannels: number, width: number) {
    super();
    const conv = convOf(options);
    this.branch1x1 = conv(inChannels, 192, 1);
    this.branch7x7_1 = conv(inChannels, width, 1);
    this.branch7x7_2 = conv(width, width, ROW, ALONG_ROW);
    this.branch7x7_3 = conv(width, 192, COLUMN, ALONG_COLUMN);
    this.branch7x7dbl_1 = conv(inChannels, width, 1);
    this.branch7x7dbl_2 = conv(width, width, COLUMN, ALONG_COLUMN);
    this.branch7x7dbl_3 = conv(width, width, ROW, ALONG_ROW);
    this.branch7x7dbl_4 = conv(width, width, COLUMN, ALONG_COLUMN);
    this.branch7x7dbl_5 = conv(width, 192, ROW, ALONG_ROW);
    this.branch_pool = conv(inChannels, 192, 1);
  }

  forward(x: Tensor): Tensor {
    return concat(
      [
        this.branch1x1.run(x),
        through(x, this.branch7x7_1, this.branch7x7_2, this.branch7x7_3),
        through(
          x,
          this.branch7x7dbl_1,
          this.branch7x7dbl_2,
          this.branch7x7dbl_3,
          this.branch7x7dbl_4,
          this.branch7x7dbl_5,
        ),
        this.branch_pool.run(neighbourMean(x)),
      ],
      1,
    );
  }
}

/** x [n,in,h,w] -> [n,512 + in,h',w'], h' and w' about half. */
export class InceptionD extends Module<[x: Tensor], Tensor> {
  readonly branch3x3_1: InceptionConv;
  readonly branch3x3_2: InceptionConv;
  readonly branch7x7x3_1: InceptionConv;
  readonly branch7x7x3_2: InceptionConv;
  readonly branch7x7x3_3: InceptionConv;
  readonly branch7x7x3_4: InceptionConv;

  constructor(options: BlockOptions, inChannels: number) {
    super();
    const conv = convOf(options);
    this.branch3x3_1 = conv(inChannels, 192, 1);
    this.branch3x3_2 = conv(192, 320, 3, { stride: 2 });
    this.branch7x7x3_1 = conv(inChannels, 192, 1);
    this.branch7x7x3_2 = conv(192, 192, ROW, ALONG_ROW);
    this.branch7x7x3_3 = conv(192, 192, COLUMN, ALONG_COLUMN);
    this.branch7x7x3_4 = conv(192, 192, 3, { stride: 2 });
  }

  forward(x: Tensor): Tensor {
    return concat(
      [
        through(x, this.branch3x3_1, this.branch3x3_2),
        through(x, this.branch7x7x3_1, this.branch7x7x3_2, this.branch7x7x3_3, this.branch7x7x3_4),
        halved(x),
      ],
      1,
    );
  }
}

/**
 * x [n,in,h,w] -> [n,2048,h,w]. The network's last block takes the maximum over the neighbours where the one before takes
 * their mean: an oddity of the graph that every published FID has in it.
 */
export class InceptionE extends Module<[x: Tensor], Tensor> {
  readonly branch1x1: InceptionConv;
  readonly branch3x3_1: InceptionConv;
  readonly branch3x3_2a: InceptionConv;
  readonly branch3x3_2b: InceptionConv;
  readonly branch3x3dbl_1: InceptionConv;
  readonly branch3x3dbl_2: InceptionConv;
  readonly branch3x3dbl_3a: InceptionConv;
  readonly branch3x3dbl_3b: InceptionConv;
  readonly branch_pool: InceptionConv;
  readonly pool: "mean" | "max";

  constructor(options: BlockOptions, inChannels: number, pool: "mean" | "max") {
    super();
    const conv = convOf(options);
    const [row, column] = [[1, 3] as const, [3, 1] as const];
    const [alongRow, alongColumn] = [{ padding: [0, 1] } as const, { padding: [1, 0] } as const];
    this.branch1x1 = conv(inChannels, 320, 1);
    this.branch3x3_1 = conv(inChannels, 384, 1);
    this.branch3x3_2a = conv(384, 384, row, alongRow);
    this.branch3x3_2b = conv(384, 384, column, alongColumn);
    this.branch3x3dbl_1 = conv(inChannels, 448, 1);
    this.branch3x3dbl_2 = conv(448, 384, 3, { padding: 1 });
    this.branch3x3dbl_3a = conv(384, 384, row, alongRow);
    this.branch3x3dbl_3b = conv(384, 384, column, alongColumn);
    this.branch_pool = conv(inChannels, 192, 1);
    this.pool = pool;
  }

  forward(x: Tensor): Tensor {
    const single = this.branch3x3_1.run(x);
    const double = through(x, this.branch3x3dbl_1, this.branch3x3dbl_2);
    return concat(
      [
        this.branch1x1.run(x),
        this.branch3x3_2a.run(single),
        this.branch3x3_2b.run(single),
        this.branch3x3dbl_3a.run(double),
        this.branch3x3dbl_3b.run(double),
        this.branch_pool.run(this.pool === "max" ? neighbourMax(x) : neighbourMean(x)),
      ],
      1,
    );
  }
}
