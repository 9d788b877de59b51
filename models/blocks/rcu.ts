import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";
import { type ActivationName, Conv2d, type MakeNorm, type Norm } from "../layers/index.ts";
import { Block } from "./block.ts";

export interface RCUOptions {
  blocks: number;
  stages: number;
  norm: MakeNorm;
  act: ActivationName;
}

/**
 * Residual convolution units of RefineNet (Lin et al. 2017): blocks of `stages` times norm, activation, 3x3
 * convolution, each block with a skip. x [n,c,h,w] -> the same shape. The parts bear the official names
 * 1_1_norm, 1_1_conv, 1_2_norm, ...: block, then stage, from 1.
 */
export class RCUBlock extends Block<[x: Tensor, labels?: Tensor]> {
  readonly #blocks: readonly (readonly { norm: Norm; conv: Conv2d }[])[];
  readonly act: ActivationName;

  constructor(init: Init, channels: number, { blocks, stages, norm: makeNorm, act }: RCUOptions) {
    super();
    this.act = act;
    this.#blocks = Array.from({ length: blocks }, (_, i) =>
      Array.from({ length: stages }, (_, j) => {
        const norm = makeNorm(init, channels);
        const conv = new Conv2d(init, channels, channels, { bias: false });
        const place = `${i + 1}_${j + 1}`;
        Object.assign(this, { [`${place}_norm`]: norm, [`${place}_conv`]: conv });
        return { norm, conv };
      }),
    );
  }

  forward(x: Tensor, labels?: Tensor): Tensor {
    for (const stages of this.#blocks) {
      let h = x;
      for (const [i, { norm, conv }] of stages.entries()) {
        const residual = i === stages.length - 1 ? x : undefined;
        h = conv.run(norm.run(h, { labels, act: this.act }), { residual });
      }
      x = h;
    }
    return x;
  }
}
