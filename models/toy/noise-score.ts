import { UsageError } from "../../engine/errors.ts";
import { add, concat, div, log, reshape, sqrt, square } from "../../engine/ops/index.ts";
import { showShape } from "../../engine/shapes.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";
import { GaussianFourierProjection } from "../layers/index.ts";
import { Module } from "../module.ts";
import type { Network } from "../prediction.ts";
import { Mlp, type ToyScoreOptions } from "./mlp.ts";

/** Fourier features of log sigma: sines and cosines of so many frequencies. */
const FREQUENCIES = 8;
/** Standard deviation of the frequencies, in turns for each factor of e in sigma. */
const FREQUENCY_SCALE = 0.25;

/**
 * The score of noisy points at any noise scale: x [n,d] and sigma [n], above 0 -> [n,d]. Ours: x / sqrt(1 + sigma^2),
 * which is of order 1 for data of order 1, and Fourier features of log sigma go through an MLP, whose output is divided
 * by sigma (Song & Ermon 2020, technique 3).
 */
export class ToyNoiseScore extends Module<[x: Tensor, sigma: Tensor], Tensor> implements Network<"score"> {
  readonly predicts = "score" as const;
  readonly embed: GaussianFourierProjection;
  readonly mlp: Mlp;

  constructor(init: Init, { dimensions = 2, hidden = 128 }: ToyScoreOptions = {}) {
    super();
    this.embed = new GaussianFourierProjection(init, FREQUENCIES, { scale: FREQUENCY_SCALE });
    this.mlp = new Mlp(init, [dimensions + 2 * FREQUENCIES, hidden, hidden, dimensions]);
    this.nameParts();
  }

  forward(x: Tensor, sigma: Tensor): Tensor {
    if (x.rank !== 2 || sigma.rank !== 1 || sigma.dim(0) !== x.dim(0) || sigma.dtype !== "f32")
      throw new UsageError(
        `ToyNoiseScore: got x ${showShape(x.shape)} and sigma ${sigma.dtype} ${showShape(sigma.shape)}, ` +
          `expected [n,d] and the noise scale of each point, f32 [n]`,
      );
    const each = reshape(sigma, [-1, 1]); // [n,1]
    const inputs = concat([div(x, sqrt(add(square(each), 1))), this.embed.run(log(sigma))], 1);
    return div(this.mlp.run(inputs), each);
  }
}
