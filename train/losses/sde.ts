import { add, mul } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Sde } from "../../samplers/sde/index.ts";
import { type Denoiser, denoisingLoss, type ReductionOptions } from "./denoising.ts";
import type { TimeDraws } from "./draws.ts";

export interface SdeLossOptions extends ReductionOptions {
  /** Smallest time, below which the target explodes; 1e-5 unless told. */
  eps?: number;
}

/**
 * The loss of Song et al. 2021, equation 7 with lambda(t) = std(t)^2, at t = u (T - eps) + eps for each sample. The
 * network is told sde.condition(t): sigma for the VE SDE, 999 t for the VP and the sub-VP SDE. x [n,...] -> []
 */
export function sdeLoss(
  network: Denoiser,
  sde: Sde,
  x: Tensor,
  { u, z }: TimeDraws,
  { eps = 1e-5, reduceMean }: SdeLossOptions,
): Tensor {
  const t = add(mul(u, sde.T - eps), eps);
  return denoisingLoss(network, x, { ...sde.marginal(t), condition: sde.condition(t), z }, { reduceMean });
}
