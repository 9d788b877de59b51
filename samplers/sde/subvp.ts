import { exp, expm1, mul, sqrt } from "../../engine/ops/index.ts";
import { eulerStep, type Sde } from "./sde.ts";
import { type BetaOptions, betaOf, logAlphaOf, requireBetas, timeLabel, timeLabelAt } from "./vp.ts";

export interface SubVp extends Sde {
  readonly name: "subvp";
}

/**
 * The sub-VP SDE dx = -beta(t)/2 x dt + sqrt(beta(t) (1 - exp(-2 int_0^t beta))) dw: the means of the VP SDE with less
 * noise, std(t) that of the VP SDE squared. Its discretisation is Euler and Maruyama's. Song et al. 2021, equations 12
 * and 29. Throws UsageError for options out of range.
 */
export function subVp(options: BetaOptions = {}): SubVp {
  const { betaMin, betaMax, steps } = requireBetas("subVp", options);
  const logAlpha = logAlphaOf(betaMin, betaMax);
  const beta = betaOf(betaMin, betaMax);
  const sde: SubVp = {
    name: "subvp",
    T: 1,
    steps,
    samplingEps: 1e-3,
    priorStd: 1,
    marginal: (t) => {
      const l = logAlpha.of(t);
      return { alpha: exp(l), std: mul(expm1(mul(l, 2)), -1) };
    },
    marginalAt: (t) => {
      const l = logAlpha.at(t);
      return { alpha: Math.exp(l), std: -Math.expm1(2 * l) };
    },
    coefficients: (t) => {
      const b = beta.of(t);
      const discount = mul(expm1(mul(logAlpha.of(t), 4)), -1);
      return { drift: mul(b, -0.5), diffusion: sqrt(mul(b, discount)) };
    },
    coefficientsAt: (t) => {
      const b = beta.at(t);
      return { drift: -0.5 * b, diffusion: Math.sqrt(-b * Math.expm1(4 * logAlpha.at(t))) };
    },
    discretize: (t) => eulerStep(sde, t),
    condition: timeLabel,
    conditionAt: timeLabelAt,
  };
  return sde;
}
