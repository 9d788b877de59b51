import { add, type Pair, resizeBilinear } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";
import { Conv2d, type MakeNorm, type Norm } from "../layers/index.ts";
import { Block } from "./block.ts";

/**
 * Multi-resolution fusion of RefineNet: each input normalised, convolved to `channels` and resized (bilinear, corners
 * aligned), then their sum. xs [n,in_i,h_i,w_i] and size [h,w] -> [n,channels,h,w].
 */
export class MSFBlock extends Block<[xs: readonly Tensor[], size: Pair, labels?: Tensor]> {
  readonly convs: readonly Conv2d[];
  readonly norms: readonly Norm[];

  constructor(init: Init, inChannels: readonly number[], channels: number, { norm }: { norm: MakeNorm }) {
    super();
    this.convs = inChannels.map((c) => new Conv2d(init, c, channels));
    this.norms = inChannels.map((c) => norm(init, c));
  }

  forward(xs: readonly Tensor[], size: Pair, labels?: Tensor): Tensor {
    const branches = xs.map((x, i) => {
      const h = this.convs[i]!.run(this.norms[i]!.run(x, { labels }));
      return h.dim(2) === size[0] && h.dim(3) === size[1]
        ? h
        : resizeBilinear(h, size, { alignCorners: true });
    });
    return branches.reduce((sum, branch) => add(sum, branch));
  }
}
