import type { Tensor } from "../../engine/tensor.ts";
import type { Vp } from "../../samplers/sde/index.ts";
import { type Denoiser, denoisingLoss, lookUp, type ReductionOptions } from "./denoising.ts";
import type { LabelDraws } from "./draws.ts";

/**
 * The simple loss of DDPM over the steps of a VP SDE, least noise first: Ho et al. 2020, equation 14; Song et al. 2021,
 * equation 3. The network is told the label. x [n,...] -> []
 */
export function ddpmLoss(
  network: Denoiser,
  sde: Vp,
  x: Tensor,
  { labels, z }: LabelDraws,
  options: ReductionOptions,
): Tensor {
  const alpha = lookUp(sde.discrete.sqrtAlphasCumprod, labels);
  const std = lookUp(sde.discrete.sqrtOneMinusAlphasCumprod, labels);
  return denoisingLoss(network, x, { alpha, std, condition: labels, z }, options);
}
