import { UsageError } from "../../engine/errors.ts";
import type { Sde, SubVp, Ve, Vp } from "../../samplers/sde/index.ts";
import { ddpmLoss } from "../losses/ddpm.ts";
import { labelDraws, timeDraws } from "../losses/draws.ts";
import { type SdeLossOptions, sdeLoss } from "../losses/sde.ts";
import { smldLoss } from "../losses/smld.ts";
import type { Objective } from "./objective.ts";

export interface SdeObjectiveOptions extends SdeLossOptions {
  /** The network is told times, any of them; labels of the SDE's steps if false. */
  continuous: boolean;
}

/**
 * Denoising score matching along an SDE: in continuous time, or on the steps of its chain, which is that of SMLD for the
 * VE and that of DDPM for the VP SDE; one of your own has continuous time alone. Song et al. 2021. Throws UsageError for
 * what only continuous time has.
 */
export function sdeObjective(sde: Sde, options: SdeObjectiveOptions & { continuous: true }): Objective;
export function sdeObjective(sde: Ve | Vp | SubVp, options: SdeObjectiveOptions): Objective;
export function sdeObjective(sde: Sde, options: SdeObjectiveOptions): Objective {
  return { loss: options.continuous ? inTime(sde, options) : inSteps(sde as Ve | Vp | SubVp, options) };
}

const inTime =
  (sde: Sde, options: SdeLossOptions): Objective["loss"] =>
  (network, x, source) =>
    sdeLoss(network, sde, x, timeDraws(x, source), options);

function inSteps(
  sde: Ve | Vp | SubVp,
  { reduceMean, likelihoodWeighting }: SdeLossOptions,
): Objective["loss"] {
  if (likelihoodWeighting)
    throw new UsageError(
      "sdeObjective: got likelihoodWeighting in steps, expected continuous true, for it weighs times; leave it out",
    );
  const { steps } = sde;
  if (sde.name === "ve")
    return (network, x, source) => smldLoss(network, sde, x, labelDraws(x, steps, source), { reduceMean });
  if (sde.name === "vp")
    return (network, x, source) => ddpmLoss(network, sde, x, labelDraws(x, steps, source), { reduceMean });
  throw new UsageError(
    "sdeObjective: got the sub-VP SDE in steps, of which it has none, expected continuous true",
  );
}
