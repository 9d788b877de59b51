import { UsageError } from "../../engine/errors.ts";
import { dsmLoss } from "../../engine/ops/index.ts";
import type { Draw } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { ScoreAt } from "./implicit.ts";
import { perturb } from "./perturb.ts";

export interface DsmOptions {
  /** The noise scale, above 0, in units of the data. */
  sigma: number;
  /** Where the noise comes from; or standard normal noise itself, of x's shape. */
  draw: Draw | Tensor;
}

/**
 * Denoising score matching at one noise scale: the mean over x [n,...] of |s(x + sigma z) + z / sigma|^2 / 2. Vincent 2011;
 * Song & Ermon 2019, equation 5 without the weight. -> []. Throws UsageError unless sigma is above 0.
 */
export function dsmAt(score: ScoreAt, x: Tensor, { sigma, draw }: DsmOptions): Tensor {
  if (!(sigma > 0 && Number.isFinite(sigma)))
    throw new UsageError(`dsmAt: got sigma ${sigma}, expected a number above 0`);
  const scales = x.engine.full([x.dim(0)], sigma);
  const { noisy, z } = perturb(x, scales, draw);
  return dsmLoss(score(noisy), z, scales, { annealPower: 0 });
}
