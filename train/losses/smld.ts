import type { Tensor } from "../../engine/tensor.ts";
import type { Ve } from "../../samplers/sde/index.ts";
import { type Denoiser, denoisingLoss, lookUp, type ReductionOptions } from "./denoising.ts";
import type { LabelDraws } from "./draws.ts";

/**
 * Denoising score matching over the noise scales of a VE SDE, largest first as the networks number them: Song et al.
 * 2021, equation 1. The network is told the label. x [n,...] -> []
 */
export function smldLoss(
  network: Denoiser,
  sde: Ve,
  x: Tensor,
  { labels, z }: LabelDraws,
  options: ReductionOptions,
): Tensor {
  const std = lookUp(sde.discreteSigmas.toReversed(), labels);
  const alpha = x.engine.ones([x.dim(0)]);
  return denoisingLoss(network, x, { alpha, std, condition: labels, z }, options);
}
