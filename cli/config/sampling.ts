import { z } from "zod";
import { count, flag, positive, section, wholeFrom } from "./values.ts";

/** Annealed Langevin dynamics. */
export const annealedSampling = section({
  count: count.default(64),
  stepsPerLevel: count.default(100),
  epsilon: positive.default(2e-5),
  denoise: flag.default(true),
  prior: z.enum(["uniform", "normal"]).default("uniform"),
  seed: wholeFrom(0).default(0),
});

export const methodNames = ["pc", "ode"] as const;
export const predictorNames = ["none", "euler_maruyama", "reverse_diffusion", "ancestral_sampling"] as const;
export const correctorNames = ["none", "langevin", "ald"] as const;

/** The samplers of Song et al. 2021: pairs of a predictor and a corrector, or the probability flow ODE. */
export const sdeSampling = section({
  count: count.default(64),
  method: z.enum(methodNames).default("pc"),
  predictor: z.enum(predictorNames).default("reverse_diffusion"),
  corrector: z.enum(correctorNames).default("none"),
  /** Signal to noise of the corrector's steps. */
  snr: positive.default(0.16),
  /** Steps of the corrector at each noise scale. */
  stepsPerLevel: count.default(1),
  /** The predictor walks along the probability flow, without noise. */
  probabilityFlow: flag.default(false),
  /** Leave out the noise of the last step. */
  denoise: flag.default(true),
  seed: wholeFrom(0).default(0),
});
