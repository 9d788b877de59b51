import { dsmLoss } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Predictor } from "../../models/prediction.ts";
import { type LadderOptions, perturbByLabel } from "./perturb.ts";

export interface AnnealedDsmOptions extends LadderOptions {
  /** Power of sigma that weighs the scales; 2 unless given. */
  annealPower?: number;
}

/** Denoising score matching over noise scales, of which labels [n] (i32) name each sample's: Song & Ermon 2019, equation 6, with lambda(sigma) = sigma^annealPower. -> [] */
export function annealedDsm(
  score: Predictor<"score">,
  x: Tensor,
  labels: Tensor,
  options: AnnealedDsmOptions,
): Tensor {
  const { noisy, z, sigma } = perturbByLabel(x, labels, options);
  return dsmLoss(score(noisy, labels), z, sigma, { annealPower: options.annealPower ?? 2 });
}
