import { z } from "zod";
import { most } from "../limits.ts";
import { count, countTo, flag, fromZero, number, positive, section, seed } from "./values.ts";

export const ladderMethods = ["annealed", "consistent"] as const;
export const sdeMethods = ["pc", "ode", "heun", "euler", "ddim", "edm"] as const;
export const methodNames = [...ladderMethods, ...sdeMethods] as const;
export type SdeMethod = (typeof sdeMethods)[number];
export type Method = (typeof methodNames)[number];
export const predictorNames = ["none", "euler_maruyama", "reverse_diffusion", "ancestral_sampling"] as const;
export const correctorNames = ["none", "langevin", "ald"] as const;
export const snrRules = ["sample", "batch"] as const;

const common = {
  count: count.default(64),
  /** Images that are drawn at a time. */
  batchSize: count.default(64),
  seed: seed.default(0),
};

/** The samplers of a ladder of noise scales: annealed Langevin dynamics, and consistent annealed sampling. */
export const annealedSampling = section({
  ...common,
  method: z.enum(ladderMethods).default("annealed"),
  stepsPerLevel: countTo(most.steps).default(100),
  epsilon: positive.default(2e-5),
  denoise: flag.default(true),
  prior: z.enum(["uniform", "normal"]).default("uniform"),
});

/**
 * The samplers of an SDE: Song et al. 2021's pairs of a predictor and a corrector, and their probability flow ODE by adaptive
 * or fixed steps; DDIM; and for the VE SDE that of Karras et al. 2022.
 */
export const sdeSampling = section({
  ...common,
  method: z.enum(sdeMethods).default("pc"),
  /** Of fixed number: sde.numScales for pc and 100 for the others, unless told. The ODE's adaptive ones choose themselves. */
  steps: countTo(most.steps).optional(),
  predictor: z.enum(predictorNames).default("reverse_diffusion"),
  corrector: z.enum(correctorNames).default("none"),
  /** Signal to noise of the corrector's steps. */
  snr: positive.default(0.16),
  /** Norms that the Langevin corrector compares: each sample's own, or means over the batch as published. */
  snrOver: z.enum(snrRules).default("sample"),
  /** Steps of the corrector at each noise scale. */
  stepsPerLevel: countTo(most.steps).default(1),
  /** The predictor walks along the probability flow, without noise. */
  probabilityFlow: flag.default(false),
  /** Leave out the noise of the last step. */
  denoise: flag.default(true),
  /** Factor of the probability flow's latents. */
  temperature: positive.default(1),
  /** Noise of DDIM's steps, from none to that of ancestral sampling. */
  eta: number("a number from 0 to 1", (n) => n >= 0 && n <= 1).default(0),
  /** S_churn of Karras et al. 2022. */
  churn: fromZero.default(0),
});
