import { dsmLoss, dsmPerturb, embedding, reshape } from "../../engine/ops/index.ts";
import type { Draw } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Predictor } from "../../models/prediction.ts";

export interface AnnealedDsmOptions {
  /** Noise scales by label, [count, 1]. */
  sigmas: Tensor;
  /** Where the noise comes from. */
  draw: Draw;
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
  const sigma = reshape(embedding(options.sigmas, labels), [-1]);
  const { noisy, z } = dsmPerturb(x, sigma, options.draw);
  return dsmLoss(score(noisy, labels), z, sigma, { annealPower: options.annealPower ?? 2 });
}
