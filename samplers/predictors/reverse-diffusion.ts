import { type Linear, type ReverseOptions, reverse } from "../sde/index.ts";
import type { Predictor, Step } from "./predictor.ts";

/** Undoes the step of the SDE's own discretisation: Song et al. 2021, equation 46. For the sub-VP SDE that is Euler's. */
export const reverseDiffusion: Predictor = (sde, t, options) => undo(sde.discretize(t), options);

/** x - (its reverse drift), for time runs down. */
export function undo(step: Linear<number>, options: ReverseOptions): Step {
  const { keep, pull, noise } = reverse(step, options);
  return { keep: 1 - keep, pull: -pull, noise };
}
