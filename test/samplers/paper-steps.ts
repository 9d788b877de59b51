/**
 * The steps of predictor-corrector sampling as the papers write them, in float64; nothing of the library's goes in.
 * Song et al. 2021; each step is x <- keep x + pull score + noise z.
 */
import { square, sub } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { type Sde, subVp, ve, vp } from "../../samplers/index.ts";
import type { Noised } from "./plane-target.ts";

export interface PaperStep {
  readonly keep: number;
  readonly pull: number;
  readonly noise: number;
}

export interface Pairing {
  readonly sde: "ve" | "vp" | "subvp";
  readonly predictor: "euler_maruyama" | "reverse_diffusion" | "ancestral_sampling" | "none";
  readonly corrector: "langevin" | "ald" | "none";
  readonly probabilityFlow?: boolean;
}

const [sigmaMin, sigmaMax] = [0.01, 12];
const [betaMin, betaMax] = [0.1, 10];

export const samplingEps = { ve: 1e-5, vp: 1e-3, subvp: 1e-3 } as const;
export const priorStd = { ve: sigmaMax, vp: 1, subvp: 1 } as const;

/** The library's own, with these numbers. */
export const sdes = {
  ve: (steps: number): Sde => ve({ sigmaMin, sigmaMax, steps }),
  vp: (steps: number): Sde => vp({ betaMin, betaMax, steps }),
  subvp: (steps: number): Sde => subVp({ betaMin, betaMax, steps }),
};

/** What all of it is a function of: sigma(t), or the share of x_0 in x_t. */
export const toldAt = (sde: Pairing["sde"], t: number): number =>
  sde === "ve"
    ? sigmaMin * (sigmaMax / sigmaMin) ** t
    : Math.exp(-0.25 * t ** 2 * (betaMax - betaMin) - 0.5 * t * betaMin);

/** Equation 29 in terms of that. */
export const noisedOf = (sde: Pairing["sde"], told: number): Noised<number> =>
  ({
    ve: { alpha: 1, variance: told ** 2 },
    vp: { alpha: told, variance: 1 - told ** 2 },
    subvp: { alpha: told, variance: (1 - told ** 2) ** 2 },
  })[sde];

/** f and g of dx = f x dt + g dw: equations 9, 11 and 12. */
export function coefficients(sde: Pairing["sde"], t: number): { f: number; g2: number } {
  if (sde === "ve") return { f: 0, g2: toldAt(sde, t) ** 2 * 2 * Math.log(sigmaMax / sigmaMin) };
  const beta = betaMin + t * (betaMax - betaMin);
  return { f: -beta / 2, g2: sde === "vp" ? beta : beta * (1 - toldAt(sde, t) ** 4) };
}

/** The score's condition in ops: what `noisedOf` is in numbers. */
export const noisedIn =
  (sde: Pairing["sde"]) =>
  (told: Tensor): Noised<Tensor> =>
    ({
      ve: () => ({ alpha: told.engine.ones(told.shape), variance: square(told) }),
      vp: () => ({ alpha: told, variance: sub(1, square(told)) }),
      subvp: () => ({ alpha: told, variance: square(sub(1, square(told))) }),
    })[sde]();

/** What predictor and corrector do at the i-th of N times from 1 down to eps. */
export function stepsAt(
  { sde, predictor, corrector, probabilityFlow = false }: Pairing,
  i: number,
  N: number,
  snr: number,
) {
  const t = 1 + ((samplingEps[sde] - 1) * i) / (N - 1);
  const j = N - 1 - i; // the step of the chain
  const { f, g2 } = coefficients(sde, t);
  const beta = (betaMin + (j / (N - 1)) * (betaMax - betaMin)) / N;
  const sigma = (k: number) => (k < 0 ? 0 : sigmaMin * (sigmaMax / sigmaMin) ** (k / (N - 1)));
  const growth = sigma(j) ** 2 - sigma(j - 1) ** 2;
  const flow = probabilityFlow ? 0.5 : 1;
  const sqrt = (v: number) => (probabilityFlow ? 0 : Math.sqrt(v));

  const euler: PaperStep = { keep: 1 - f / N, pull: (flow * g2) / N, noise: sqrt(g2 / N) };
  const predict: PaperStep = {
    none: { keep: 1, pull: 0, noise: 0 },
    euler_maruyama: euler,
    reverse_diffusion: {
      ve: { keep: 1, pull: flow * growth, noise: sqrt(growth) },
      vp: { keep: 2 - Math.sqrt(1 - beta), pull: flow * beta, noise: sqrt(beta) },
      subvp: euler,
    }[sde],
    ancestral_sampling: {
      ve: { keep: 1, pull: growth, noise: (sigma(j - 1) / sigma(j)) * Math.sqrt(growth) },
      vp: { keep: 1 / Math.sqrt(1 - beta), pull: beta / Math.sqrt(1 - beta), noise: Math.sqrt(beta) },
      subvp: euler,
    }[sde],
  }[predictor];

  const told = toldAt(sde, t);
  const noised = noisedOf(sde, told);
  /** Algorithms 4 and 5; the sub-VP SDE by the same rule, which the published code lacks. */
  const alpha = { ve: 1, vp: 1 - beta, subvp: (1 + f / N) ** 2 }[sde];
  /** The corrector's step, given mean |z| / mean |score|. */
  const correct = (ratio: number): PaperStep => {
    const size = corrector === "langevin" ? ratio ** 2 : noised.variance;
    const e = corrector === "none" ? 0 : 2 * alpha * snr ** 2 * size;
    return { keep: 1, pull: e, noise: Math.sqrt(2 * e) };
  };
  return { t, told, noised, predict, correct };
}
