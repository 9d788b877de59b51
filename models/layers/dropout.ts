import { dropout, requireRate } from "../../engine/ops/dropout.ts";
import type { DrawSource } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";
import { Module } from "../module.ts";

/** Drops elements of x [n,...] while training, which is when it is told where the masks come from. */
export class Dropout extends Module<[x: Tensor, masks?: DrawSource], Tensor> {
  readonly rate: number;
  /** Tells its masks from those of the other layers of the network. */
  readonly site: number;

  /** Throws UsageError for a rate outside [0, 1). */
  constructor(init: Init, rate: number) {
    super();
    requireRate("Dropout", rate);
    this.rate = rate;
    this.site = init.nextSite();
  }

  forward(x: Tensor, masks?: DrawSource): Tensor {
    return masks ? dropout(x, this.rate, { ...masks, purpose: "dropout", site: this.site }) : x;
  }
}
