import { ancestralSampling } from "./ancestral-sampling.ts";
import { eulerMaruyama } from "./euler-maruyama.ts";
import type { Predictor } from "./predictor.ts";
import { reverseDiffusion } from "./reverse-diffusion.ts";

export type { Predictor, Step } from "./predictor.ts";

/** By the names of the published code. `none` leaves all to the corrector. */
export const predictors = {
  euler_maruyama: eulerMaruyama,
  reverse_diffusion: reverseDiffusion,
  ancestral_sampling: ancestralSampling,
  none: undefined,
} as const satisfies Readonly<Record<string, Predictor | undefined>>;

export type PredictorName = keyof typeof predictors;
