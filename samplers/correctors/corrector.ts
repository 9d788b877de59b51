import type { Sde } from "../sde/index.ts";

/** A Langevin step at one time, x <- x + e score + sqrt(2 e) z with z ~ N(0, I): Song et al. 2021, algorithms 4 and 5. */
export interface Corrector {
  /** e at time t for a target signal-to-noise ratio `snr`, in the corrector's unit. */
  stepSize(sde: Sde, t: number, snr: number): number;
  /** What step sizes are counted in: 1, or (mean |z| / mean |score|)^2 over the batch, which only the device knows. */
  readonly unit: "one" | "norms";
}

/**
 * What the step at time t keeps of the variance of x, by which correctors scale their steps: 1 for the VE SDE,
 * 1 - beta_i for the VP SDE. The published code has none for the sub-VP SDE; the same rule holds for its discretisation.
 */
export const kept = (sde: Sde, t: number): number => (1 + sde.discretize(t).drift) ** 2;
