import { add, cast, mul, reshape, silu } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../../models/init.ts";
import { Conv2d, Linear } from "../../models/layers/index.ts";
import { Module } from "../../models/module.ts";
import type { Network } from "../../models/prediction.ts";

interface TinyOptions<P> {
  channels: number;
  hidden: number;
  /** Of the label, before the linear layer. */
  labelScale: number;
  predicts: P;
}

/** conv2(silu(conv1(x) + cond(labelScale label))), 3x3 convolutions; without labels that term is absent. */
export class TinyNet<P extends "score" | "eps" = "score" | "eps">
  extends Module<[x: Tensor, labels?: Tensor], Tensor>
  implements Network<P>
{
  readonly predicts: P;
  readonly conv1: Conv2d;
  readonly conv2: Conv2d;
  readonly cond: Linear;
  readonly #labelScale: number;

  constructor(init: Init, { channels, hidden, labelScale, predicts }: TinyOptions<P>) {
    super();
    this.predicts = predicts;
    this.conv1 = new Conv2d(init, channels, hidden);
    this.conv2 = new Conv2d(init, hidden, channels);
    this.cond = new Linear(init, 1, hidden);
    this.#labelScale = labelScale;
    this.nameParts();
  }

  forward(x: Tensor, labels?: Tensor): Tensor {
    let h = this.conv1.run(x);
    if (labels) {
      const numbers = labels.dtype === "f32" ? labels : cast(labels, "f32");
      const shift = this.cond.run(mul(reshape(numbers, [-1, 1]), this.#labelScale)); // [n,hidden]
      h = add(h, reshape(shift, [shift.dim(0), -1, 1, 1]));
    }
    return this.conv2.run(silu(h));
  }
}
