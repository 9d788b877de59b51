import type { ReverseOptions, Sde } from "../sde/index.ts";

/** A step is x <- keep x + pull score + noise z with z ~ N(0, I); what comes before the noise is its mean. */
export interface Step {
  readonly keep: number;
  readonly pull: number;
  readonly noise: number;
}

/**
 * The step from time t, T / N long, towards the data: the whole of a predictor, for all SDEs are linear. Throws
 * UsageError for an SDE it cannot undo.
 */
export type Predictor = (sde: Sde, t: number, options: ReverseOptions) => Step;
