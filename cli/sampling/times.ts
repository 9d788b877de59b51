import type { SubVp, TimeGrid, Ve, Vp } from "../../samplers/index.ts";
import type { SdeConfig } from "../config.ts";
import { sdeOf } from "../score.ts";

/**
 * The last time of predictor-corrector steps. On the SDEs that keep the variance it is the published 1e-3, a step of 1000,
 * or one step where there are fewer: a step from 1e-3 that is longer undoes more noise than the score sees there, and so
 * adds noise. Images that are one point come out of 100 steps of the VP SDE with a standard deviation of 0.04, and of 0.48
 * from 1e-3. Networks that know only the steps of a chain stay on those.
 */
export const lastTimeOf = ({ sde: { continuous } }: SdeConfig, sde: Ve | Vp | SubVp): number =>
  continuous && sde.name !== "ve"
    ? Math.max(sde.samplingEps, sde.T / Math.max(2, sde.steps))
    : sde.samplingEps;

/** The SDE of a probability flow, which ends with a step of the reverse diffusion: one as long as the time that is left. */
export function sdeOfFlow(config: SdeConfig): Ve | Vp | SubVp {
  const sde = sdeOf(config);
  const { name, continuous } = config.sde;
  if (name === "ve" || !continuous) return sde;
  return sdeOf(config, Math.max(Math.round(sde.T / sde.samplingEps), Math.ceil(config.sde.betaMax)));
}

/**
 * Where fixed steps of a probability flow end. On the VE SDE they are equal, and sigma falls by one factor in each. On the
 * others the noise falls as sqrt t towards the data, and so do they: in equal steps the last one would be many times as
 * long as the time that is left. Images that are one point come out of 20 of Heun's steps of the sub-VP SDE with a standard
 * deviation of 0.004, and of 1.3 in equal ones.
 */
export function flowGrid({ name, T, samplingEps: eps }: Ve | Vp | SubVp, steps: number): TimeGrid {
  if (name === "ve") return steps;
  const [from, to] = [Math.sqrt(T), Math.sqrt(eps)];
  const between = Array.from({ length: steps - 1 }, (_, i) => (from + ((i + 1) / steps) * (to - from)) ** 2);
  return [T, ...between, eps];
}
