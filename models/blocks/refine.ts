import { UsageError } from "../../engine/errors.ts";
import type { Pair } from "../../engine/ops/index.ts";
import { showShape } from "../../engine/shapes.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";
import { type ActivationName, type MakeNorm, NoneNorm2d } from "../layers/index.ts";
import { Module } from "../module.ts";
import { CRPBlock, type CRPOptions } from "./crp.ts";
import { MSFBlock } from "./msf.ts";
import { RCUBlock } from "./rcu.ts";

export interface RefineOptions {
  act: ActivationName;
  pool: CRPOptions["pool"];
  /** None at all if absent, as in 2020. */
  norm?: MakeNorm;
  /** The first of the cascade: one input and no fusion. */
  start?: boolean;
  /** The last of the cascade: three output units for one. */
  end?: boolean;
}

/**
 * One step of the RefineNet cascade: units that adapt each input, fusion, chained pooling, output units.
 * xs [n,in_i,h_i,w_i] and size [h,w] -> [n,channels,h,w]. Song & Ermon 2019, appendix A: CondRefineBlock with
 * conditional norms and average pooling; 2020: RefineBlock without norms and with maxima.
 */
export class RefineBlock extends Module<[xs: readonly Tensor[], size: Pair, labels?: Tensor], Tensor> {
  readonly adapt_convs: readonly RCUBlock[];
  readonly output_convs: RCUBlock;
  readonly msf?: MSFBlock;
  readonly crp: CRPBlock;

  constructor(init: Init, inChannels: readonly number[], channels: number, options: RefineOptions) {
    super();
    const { act, pool, norm = () => new NoneNorm2d(), start = false, end = false } = options;
    if (start && inChannels.length !== 1)
      throw new UsageError(
        `RefineBlock: got start with ${inChannels.length} inputs, expected one; leave start out`,
      );
    this.adapt_convs = inChannels.map((c) => new RCUBlock(init, c, { blocks: 2, stages: 2, norm, act }));
    this.output_convs = new RCUBlock(init, channels, { blocks: end ? 3 : 1, stages: 2, norm, act });
    if (!start) this.msf = new MSFBlock(init, inChannels, channels, { norm });
    this.crp = new CRPBlock(init, channels, { stages: 2, pool, norm, act });
  }

  forward(xs: readonly Tensor[], size: Pair, labels?: Tensor): Tensor {
    if (xs.length !== this.adapt_convs.length)
      throw new UsageError(
        `RefineBlock: got ${xs.length} inputs ${xs.map((x) => showShape(x.shape))}, expected ${this.adapt_convs.length}`,
      );
    const adapted = this.adapt_convs.map((units, i) => units.run(xs[i]!, labels));
    const h = adapted.length > 1 ? this.msf!.run(adapted, size, labels) : adapted[0]!; // the fusion of one is left out
    return this.output_convs.run(this.crp.run(h, labels), labels);
  }
}
