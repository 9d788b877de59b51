import { add, concat } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";
import { Module } from "../module.ts";
import { Conv2d } from "./conv.ts";

export type CombineMethod = "sum" | "cat";

/** Joins the image pyramid x to the features y: a 1x1 convolution of x, then sum or concatenation. */
export class Combine extends Module<[x: Tensor, y: Tensor], Tensor> {
  readonly Conv_0: Conv2d;
  readonly method: CombineMethod;

  /** Channels of x and of y; with "cat" the result has twice those of y. */
  constructor(init: Init, xChannels: number, yChannels: number, method: CombineMethod) {
    super();
    this.Conv_0 = new Conv2d(init, xChannels, yChannels, { kernel: 1, initScale: 1 });
    this.method = method;
  }

  forward(x: Tensor, y: Tensor): Tensor {
    const h = this.Conv_0.run(x);
    return this.method === "sum" ? add(h, y) : concat([h, y], 1);
  }
}
