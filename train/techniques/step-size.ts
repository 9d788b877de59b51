import { UsageError } from "../../engine/errors.ts";
import { root } from "./root.ts";

export interface LangevinLevel {
  /** Ratio of the scale before to this one. */
  gamma: number;
  /** Langevin steps at each scale. */
  steps: number;
}

/**
 * The variance s_T^2 / sigma_i^2 that T Langevin steps at scale sigma_i leave of samples that came with gamma sigma_i, for
 * the step size alpha_i = epsilon sigma_i^2 / sigma_L^2: q^(2T) (gamma^2 - c) + c with q = 1 - u, c = 2 / (2 - u),
 * u = epsilon / sigma_L^2 in (0, 2), the same at every scale. Song & Ermon 2020, proposition 3 and equation 4.
 */
export function varianceRatio({ gamma, steps }: LangevinLevel, u: number): number {
  const c = 2 / (2 - u);
  const kept = (1 - u) ** (2 * steps);
  return kept * (gamma ** 2 - c) + c;
}

/**
 * The epsilon that brings s_T^2 / sigma_i^2 as near to 1 as it comes, in units of the data squared: technique 4. The ratio
 * is a mean of gamma^2 and c, both above 1, so that nearest is least. gamma > 1, whole steps from 1, sigmaEnd > 0: else
 * it throws UsageError.
 */
export function stepSizeFor(level: LangevinLevel, sigmaEnd: number): number {
  const { gamma, steps } = level;
  if (!(gamma > 1 && Number.isSafeInteger(steps) && steps >= 1 && sigmaEnd > 0))
    throw new UsageError(
      `stepSize: got gamma ${gamma}, ${steps} steps, sigma ${sigmaEnd}, expected gamma > 1, whole steps from 1 and sigma > 0`,
    );
  return root((u) => slope(level, u), 0, 1) * sigmaEnd ** 2;
}

/** d varianceRatio / du: below 0 at u = 0, above 0 at u = 1. */
function slope({ gamma, steps }: LangevinLevel, u: number): number {
  const c = 2 / (2 - u);
  const growth = 2 / (2 - u) ** 2; // dc/du
  const kept = (1 - u) ** (2 * steps);
  return (-2 * steps * kept * (gamma ** 2 - c)) / (1 - u || 1) + (1 - kept) * growth;
}

/**
 * Langevin steps at each of L scales within so many evaluations of the network for an image, the last denoising one among
 * them. Throws UsageError when there is not one for each scale.
 */
export function stepsWithin(budget: number, levels: number): number {
  const steps = Math.floor((budget - 1) / levels);
  if (!(steps >= 1))
    throw new UsageError(
      `stepSize: got a budget of ${budget} evaluations for ${levels} scales, expected at least ${levels + 1}`,
    );
  return steps;
}
