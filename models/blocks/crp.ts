import { add, avgPool2d, maxPool2d } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";
import { type ActivationName, activation, Conv2d, type MakeNorm, type Norm } from "../layers/index.ts";
import { Block } from "./block.ts";

export interface CRPOptions {
  stages: number;
  /** "average" in the network of 2019, "max" in that of 2020. */
  pool: "average" | "max";
  norm: MakeNorm;
  act: ActivationName;
}

/**
 * Chained residual pooling of RefineNet: every stage pools 5x5 neighbourhoods of the stage before and convolves;
 * the sum of all is the result. x [n,c,h,w] -> the same shape.
 */
export class CRPBlock extends Block<[x: Tensor, labels?: Tensor]> {
  readonly convs: readonly Conv2d[];
  readonly norms: readonly Norm[];
  readonly pool: (x: Tensor) => Tensor;
  readonly act: ActivationName;

  constructor(init: Init, channels: number, { stages, pool, norm, act }: CRPOptions) {
    super();
    this.convs = Array.from({ length: stages }, () => new Conv2d(init, channels, channels, { bias: false }));
    this.norms = Array.from({ length: stages }, () => norm(init, channels));
    const window = { kernel: 5, stride: 1, padding: 2 };
    this.pool = (x) => (pool === "max" ? maxPool2d(x, window) : avgPool2d(x, window));
    this.act = act;
  }

  forward(x: Tensor, labels?: Tensor): Tensor {
    let sum = activation(x, this.act);
    let path = sum;
    this.convs.forEach((conv, i) => {
      path = conv.run(this.pool(this.norms[i]!.run(path, { labels })));
      sum = add(path, sum);
    });
    return sum;
  }
}
