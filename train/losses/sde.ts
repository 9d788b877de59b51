import { add, div, mul, square } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { requireEps } from "../../samplers/require.ts";
import type { Sde } from "../../samplers/sde/index.ts";
import { type Denoiser, denoisingLoss, type ReductionOptions } from "./denoising.ts";
import type { TimeDraws } from "./draws.ts";

export interface SdeLossOptions extends ReductionOptions {
  /** Smallest time, below which the target explodes; 1e-5 unless told. */
  eps?: number;
  /** lambda(t) = g(t)^2, which bounds the likelihood: Song et al. 2021, "Maximum likelihood training". */
  likelihoodWeighting?: boolean;
  /** What the network is told at the times t [n]; sde.condition(t) unless told. */
  condition?: (t: Tensor) => Tensor;
}

/**
 * The loss of Song et al. 2021, equation 7 with lambda(t) = std(t)^2 unless told, at t = u (T - eps) + eps for each sample. The
 * network is told sde.condition(t) unless told otherwise: sigma for the VE SDE, 999 t for the VP and the sub-VP SDE.
 * x [n,...] -> []. Throws UsageError for an eps outside (0, T), and as denoisingLoss.
 */
export function sdeLoss(
  network: Denoiser,
  sde: Sde,
  x: Tensor,
  { u, z }: TimeDraws,
  { eps = 1e-5, likelihoodWeighting = false, condition = sde.condition, reduceMean }: SdeLossOptions,
): Tensor {
  requireEps("sdeLoss", eps, sde.T);
  const t = add(mul(u, sde.T - eps), eps);
  const { alpha, std } = sde.marginal(t);
  const weight = likelihoodWeighting && square(div(sde.coefficients(t).diffusion, std));
  const noise = { alpha, std, condition: condition(t), z, ...(weight && { weight }) };
  return denoisingLoss(network, x, noise, { reduceMean });
}
