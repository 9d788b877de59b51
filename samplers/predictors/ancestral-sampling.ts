import { UsageError } from "../../engine/errors.ts";
import type { Predictor } from "./predictor.ts";

/**
 * Undoes a step x a + b z of the SDE's Markov chain by the mean (x + b^2 score) / a of what it came from. SMLD adds the
 * noise of the posterior given x_0, DDPM that of the step: Song et al. 2021, equations 47 and 4; Ho et al. 2020,
 * algorithm 2. Throws UsageError for an SDE without a chain (sub-VP), for the probability flow, and for a step that
 * leaves nothing of x.
 */
export const ancestralSampling: Predictor = (sde, t, { probabilityFlow }) => {
  if (!sde.ancestralNoise)
    throw new UsageError(
      `ancestral_sampling: got the ${sde.name} SDE, expected one with a Markov chain, ve or vp; take reverse_diffusion`,
    );
  if (probabilityFlow)
    throw new UsageError(
      "ancestral_sampling: got probabilityFlow, which it has no form of; take reverse_diffusion or euler_maruyama",
    );
  const { drift, diffusion } = sde.discretize(t);
  const kept = 1 + drift;
  if (kept === 0)
    throw new UsageError(
      `ancestral_sampling: got ${sde.steps} steps, the last of which leaves nothing of x; take more steps`,
    );
  return { keep: 1 / kept, pull: diffusion ** 2 / kept, noise: sde.ancestralNoise(t) };
};
