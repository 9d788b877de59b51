import { eulerStep } from "../sde/index.ts";
import type { Predictor } from "./predictor.ts";
import { undo } from "./reverse-diffusion.ts";

/**
 * Euler and Maruyama's method for the reverse SDE; for the probability flow, Euler's, which the published code leaves
 * out.
 */
export const eulerMaruyama: Predictor = (sde, t, options) => undo(eulerStep(sde, t), options);
