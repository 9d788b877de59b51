import type { Engine } from "../engine/engine.ts";
import { UsageError } from "../engine/errors.ts";
import { concat, matmul, maxPool2d, mean, resizeBilinear, scale, sub } from "../engine/ops/index.ts";
import { showShape } from "../engine/shapes.ts";
import type { Tensor } from "../engine/tensor.ts";
import {
  type BlockOptions,
  convOf,
  InceptionA,
  InceptionB,
  InceptionC,
  InceptionD,
  InceptionE,
} from "./inception-blocks.ts";
import { InceptionConv } from "./inception-conv.ts";
import { Module } from "./module.ts";

/** Side of the images that the network was trained on; whatever comes is brought to it. */
const SIDE = 299;
/** Of the graph: 1,000 classes of ImageNet and eight that were never used. */
const CLASSES = 1008;

export interface InceptionOptions {
  /** By which all widths are divided: 1 is the published network, 2, 4, 8 and 16 are narrow ones to try things on. */
  divisor?: number;
}

/** The last layer of the network, that knows the classes: pooled features [n,in] -> logits [n,classes]. */
class ClassLayer extends Module<[features: Tensor], Tensor> {
  readonly weight: Tensor;
  readonly bias: Tensor;

  constructor(engine: Engine, inputs: number, classes: number) {
    super();
    this.weight = engine.untrack(engine.zeros([classes, inputs]));
    this.bias = engine.untrack(engine.zeros([classes]));
  }

  forward(features: Tensor): Tensor {
    return matmul(features, this.weight, { transposeB: true, bias: this.bias });
  }

  unbiased(features: Tensor): Tensor {
    return matmul(features, this.weight, { transposeB: true });
  }
}

/**
 * The Inception v3 network whose features FID and the Inception score compare: that of the TensorFlow graph
 * inception-2015-12-05 in the layout of its usual PyTorch port (Szegedy et al. 2016; Heusel et al. 2017). x [n,1 or
 * 3,h,w] in [0, 1] -> pooled features [n,2048]. Without weights until `loadInception` gives it a file's; nothing in it is
 * trained.
 */
export class InceptionV3 extends Module<[x: Tensor], Tensor> {
  readonly Conv2d_1a_3x3: InceptionConv;
  readonly Conv2d_2a_3x3: InceptionConv;
  readonly Conv2d_2b_3x3: InceptionConv;
  readonly Conv2d_3b_1x1: InceptionConv;
  readonly Conv2d_4a_3x3: InceptionConv;
  readonly Mixed_5b: InceptionA;
  readonly Mixed_5c: InceptionA;
  readonly Mixed_5d: InceptionA;
  readonly Mixed_6a: InceptionB;
  readonly Mixed_6b: InceptionC;
  readonly Mixed_6c: InceptionC;
  readonly Mixed_6d: InceptionC;
  readonly Mixed_6e: InceptionC;
  readonly Mixed_7a: InceptionD;
  readonly Mixed_7b: InceptionE;
  readonly Mixed_7c: InceptionE;
  readonly fc: ClassLayer;
  readonly featureCount: number;

  constructor(engine: Engine, { divisor = 1 }: InceptionOptions = {}) {
    super();
    if (![1, 2, 4, 8, 16].includes(divisor))
      throw new UsageError(`InceptionV3: got divisor ${divisor}, expected 1, 2, 4, 8 or 16`);
    const options: BlockOptions = { engine, divisor };
    const conv = convOf(options);
    this.featureCount = 2048 / divisor;
    this.Conv2d_1a_3x3 = new InceptionConv(engine, 3, 32 / divisor, 3, { stride: 2 });
    this.Conv2d_2a_3x3 = conv(32, 32, 3);
    this.Conv2d_2b_3x3 = conv(32, 64, 3, { padding: 1 });
    this.Conv2d_3b_1x1 = conv(64, 80, 1);
    this.Conv2d_4a_3x3 = conv(80, 192, 3);
    this.Mixed_5b = new InceptionA(options, 192, 32);
    this.Mixed_5c = new InceptionA(options, 256, 64);
    this.Mixed_5d = new InceptionA(options, 288, 64);
    this.Mixed_6a = new InceptionB(options, 288);
    this.Mixed_6b = new InceptionC(options, 768, 128);
    this.Mixed_6c = new InceptionC(options, 768, 160);
    this.Mixed_6d = new InceptionC(options, 768, 160);
    this.Mixed_6e = new InceptionC(options, 768, 192);
    this.Mixed_7a = new InceptionD(options, 768);
    this.Mixed_7b = new InceptionE(options, 1280, "mean");
    this.Mixed_7c = new InceptionE(options, 2048, "max");
    this.fc = new ClassLayer(engine, this.featureCount, CLASSES);
    this.nameParts();
  }

  forward(x: Tensor): Tensor {
    requireImages(x);
    const coloured = x.dim(1) === 3 ? x : concat([x, x, x], 1);
    const resized = resizeBilinear(coloured, [SIDE, SIDE]); // also where the size is right: then it changes nothing
    return this.trunk(sub(scale(resized, 2), 1));
  }

  /** The convolutional part for images in [-1, 1] of their own size, at least 75: x [n,3,h,w] -> [n,2048]. */
  trunk(x: Tensor): Tensor {
    const halved = (h: Tensor) => maxPool2d(h, { kernel: 3, stride: 2 });
    const stem = [this.Conv2d_1a_3x3, this.Conv2d_2a_3x3, this.Conv2d_2b_3x3];
    const mixed = [
      ...[this.Mixed_5b, this.Mixed_5c, this.Mixed_5d],
      ...[this.Mixed_6a, this.Mixed_6b, this.Mixed_6c, this.Mixed_6d, this.Mixed_6e],
      ...[this.Mixed_7a, this.Mixed_7b, this.Mixed_7c],
    ];
    return x.engine.scope(() => {
      const early = halved(stem.reduce((h, part) => part.run(h), x));
      const late = halved(this.Conv2d_4a_3x3.run(this.Conv2d_3b_1x1.run(early)));
      const maps = mixed.reduce<Tensor>((h, block) => block.run(h), late);
      return mean(maps, { axis: [2, 3] });
    });
  }

  /**
   * Logits of the classes by which the Inception score is told: features [n,2048] -> [n,1008]. Without the last layer's
   * bias, as the published score reads the graph; `fc.run` adds it.
   */
  scoreLogits(features: Tensor): Tensor {
    return this.fc.unbiased(features);
  }
}

function requireImages(x: Tensor): void {
  if (x.rank !== 4 || (x.dim(1) !== 1 && x.dim(1) !== 3))
    throw new UsageError(`InceptionV3: got x ${showShape(x.shape)}, expected [n,1,h,w] or [n,3,h,w]`);
}
