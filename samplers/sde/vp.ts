import { UsageError } from "../../engine/errors.ts";
import { add, exp, expm1, mul, sqrt } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { requireWhole } from "../require.ts";
import { ascending, type Sde, stepIndex } from "./sde.ts";

export interface BetaOptions {
  /** beta at time 0 and at time 1, 0 <= betaMin < betaMax. 0.1 and 20 unless told. */
  betaMin?: number;
  betaMax?: number;
  /** 1000 unless told. */
  steps?: number;
}

export interface Vp extends Sde {
  readonly name: "vp";
  readonly discrete: DdpmTables;
  /** What networks trained on the steps of the chain are told at time t: t (N - 1), fractions kept. */
  labelAt(t: number): number;
  readonly ancestralNoise: (t: number) => number;
}

/** The Markov chain x_i = sqrt(1 - beta_i) x_(i-1) + sqrt(beta_i) z, of which DDPM is made; beta ascends. */
export interface DdpmTables {
  readonly betas: readonly number[];
  /** 1 - beta. */
  readonly alphas: readonly number[];
  /** Product of the alphas so far. */
  readonly alphasCumprod: readonly number[];
  /** What is left of x_0 in x_i. */
  readonly sqrtAlphasCumprod: readonly number[];
  /** The noise in x_i. */
  readonly sqrtOneMinusAlphasCumprod: readonly number[];
}

/**
 * The variance preserving SDE dx = -beta(t)/2 x dt + sqrt(beta(t)) dw, beta(t) = betaMin + t (betaMax - betaMin), for t
 * in [0, 1]: the noise of DDPM in continuous time. Its discretisation is the chain of DDPM. Song et al. 2021, equations 10,
 * 11 and 33. Throws UsageError for options out of range and for so few steps that a beta of the chain exceeds 1.
 */
export function vp(options: BetaOptions = {}): Vp {
  const { betaMin, betaMax, steps } = requireBetas("vp", options);
  const logAlpha = logAlphaOf(betaMin, betaMax);
  const beta = betaOf(betaMin, betaMax);
  const T = 1;
  const discrete = ddpmTables(betaMin, betaMax, steps);
  const stepOf = (t: number) => stepIndex({ T, steps }, t);
  return {
    name: "vp",
    T,
    steps,
    samplingEps: 1e-3,
    priorStd: 1,
    marginal: (t) => {
      const l = logAlpha.of(t);
      return { alpha: exp(l), std: sqrt(mul(expm1(mul(l, 2)), -1)) };
    },
    marginalAt: (t) => {
      const l = logAlpha.at(t);
      return { alpha: Math.exp(l), std: Math.sqrt(-Math.expm1(2 * l)) };
    },
    coefficients: (t) => {
      const b = beta.of(t);
      return { drift: mul(b, -0.5), diffusion: sqrt(b) };
    },
    coefficientsAt: (t) => ({ drift: -0.5 * beta.at(t), diffusion: Math.sqrt(beta.at(t)) }),
    discretize: (t) => {
      const i = stepOf(t);
      return { drift: Math.sqrt(discrete.alphas[i]!) - 1, diffusion: Math.sqrt(discrete.betas[i]!) };
    },
    ancestralNoise: (t) => Math.sqrt(discrete.betas[stepOf(t)]!),
    condition: timeLabel,
    conditionAt: timeLabelAt,
    labelAt: (t) => t * (steps - 1),
    discrete,
  };
}

/** Networks trained on the VP and the sub-VP SDE count time from 0 to 999. */
export const timeLabel = (t: Tensor): Tensor => mul(t, 999);
export const timeLabelAt = (t: number): number => t * 999;

/** beta(t), of times [n] and at one time. */
export const betaOf = (betaMin: number, betaMax: number) => ({
  of: (t: Tensor): Tensor => add(mul(t, betaMax - betaMin), betaMin),
  at: (t: number): number => betaMin + t * (betaMax - betaMin),
});

/** log alpha(t) = -1/2 int_0^t beta = -t (t (betaMax - betaMin) / 4 + betaMin / 2), of times [n] and at one time. */
export function logAlphaOf(betaMin: number, betaMax: number) {
  const [quadratic, linear] = [-(betaMax - betaMin) / 4, -betaMin / 2];
  return {
    of: (t: Tensor): Tensor => mul(t, add(mul(t, quadratic), linear)),
    at: (t: number): number => t * (t * quadratic + linear),
  };
}

export function requireBetas(
  who: string,
  { betaMin = 0.1, betaMax = 20, steps = 1000 }: BetaOptions,
): Required<BetaOptions> {
  if (!(betaMin >= 0 && betaMax > betaMin && Number.isFinite(betaMax)))
    throw new UsageError(
      `${who}: got betaMin ${betaMin}, betaMax ${betaMax}, expected 0 <= betaMin < betaMax`,
    );
  requireWhole(who, { steps }, 1);
  return { betaMin, betaMax, steps };
}

function ddpmTables(betaMin: number, betaMax: number, steps: number): DdpmTables {
  if (betaMax > steps)
    throw new UsageError(
      `vp: got betaMax ${betaMax} in ${steps} steps, a beta of ${betaMax}/${steps}, expected at most 1; ` +
        `take at least ${Math.ceil(betaMax)} steps`,
    );
  const betas = ascending(betaMin / steps, betaMax / steps, steps);
  const alphas = betas.map((beta) => 1 - beta);
  let product = 1;
  const alphasCumprod = alphas.map((alpha) => (product *= alpha));
  return {
    betas,
    alphas,
    alphasCumprod,
    sqrtAlphasCumprod: alphasCumprod.map(Math.sqrt),
    sqrtOneMinusAlphasCumprod: alphasCumprod.map((a) => Math.sqrt(1 - a)),
  };
}
