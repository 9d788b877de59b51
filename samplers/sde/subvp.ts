import { exp, expm1, mul } from "../../engine/ops/index.ts";
import type { Sde } from "./sde.ts";
import { type BetaOptions, logAlphaOf, requireBetas, timeLabel } from "./vp.ts";

export interface SubVp extends Sde {
  readonly name: "subvp";
}

/**
 * The sub-VP SDE dx = -beta(t)/2 x dt + sqrt(beta(t) (1 - exp(-2 int_0^t beta))) dw: the means of the VP SDE with less
 * noise, std(t) that of the VP SDE squared. Song et al. 2021, equations 12 and 29. Throws UsageError for options out of
 * range.
 */
export function subVp(options: BetaOptions = {}): SubVp {
  const { betaMin, betaMax, steps } = requireBetas("subVp", options);
  const logAlpha = logAlphaOf(betaMin, betaMax);
  return {
    name: "subvp",
    T: 1,
    steps,
    marginal: (t) => {
      const l = logAlpha.of(t);
      return { alpha: exp(l), std: mul(expm1(mul(l, 2)), -1) };
    },
    marginalAt: (t) => {
      const l = logAlpha.at(t);
      return { alpha: Math.exp(l), std: -Math.expm1(2 * l) };
    },
    condition: timeLabel,
  };
}
