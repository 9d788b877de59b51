import { UsageError } from "../../engine/errors.ts";
import { mul } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { requireWhole } from "../require.ts";
import { expOf } from "./exp.ts";
import { ascending, type Sde, stepIndex } from "./sde.ts";

export interface VeOptions {
  /** Noise at time 0 and at time 1, in units of the data, 0 < sigmaMin < sigmaMax. 0.01 and 50 for CIFAR-10. */
  sigmaMin: number;
  sigmaMax: number;
  /** 1000 unless told. */
  steps?: number;
}

export interface Ve extends Sde {
  readonly name: "ve";
  /** sigma of each step, ascending. The networks' own tables descend. */
  readonly discreteSigmas: readonly number[];
  /** What networks trained on the steps of the chain are told at time t: the place in their descending table. */
  labelAt(t: number): number;
  readonly ancestralNoise: (t: number) => number;
}

/**
 * The variance exploding SDE dx = sqrt(d[sigma^2]/dt) dw with sigma(t) = sigmaMin (sigmaMax / sigmaMin)^t, t in [0, 1]:
 * the noise of NCSN in continuous time. Its discretisation is the chain of SMLD, x_i = x_(i-1) + sqrt(sigma_i^2 -
 * sigma_(i-1)^2) z with sigma_0 = 0 before the first. Song et al. 2021, equations 8, 9 and 30. Throws UsageError for
 * options out of range.
 */
export function ve({ sigmaMin, sigmaMax, steps = 1000 }: VeOptions): Ve {
  if (!(sigmaMin > 0 && sigmaMax > sigmaMin && Number.isFinite(sigmaMax)))
    throw new UsageError(
      `ve: got sigmaMin ${sigmaMin}, sigmaMax ${sigmaMax}, expected 0 < sigmaMin < sigmaMax`,
    );
  requireWhole("ve", { steps }, 1);
  const T = 1;
  const logRatio = Math.log(sigmaMax / sigmaMin);
  const sigma = (t: Tensor) => mul(expOf(logRatio, t), sigmaMin);
  const sigmaAt = (t: number) => sigmaMin * Math.exp(t * logRatio);
  const growth = Math.sqrt(2 * logRatio); // of sigma(t) to the diffusion
  const discreteSigmas = ascending(Math.log(sigmaMin), Math.log(sigmaMax), steps).map(Math.exp);
  /** sigma of the step at time t and of the one before it. */
  const neighbours = (t: number): [number, number] => {
    const i = stepIndex({ T, steps }, t);
    return [discreteSigmas[i]!, discreteSigmas[i - 1] ?? 0];
  };
  return {
    name: "ve",
    T,
    steps,
    samplingEps: 1e-5,
    priorStd: sigmaMax,
    marginal: (t) => ({ alpha: t.engine.ones(t.shape), std: sigma(t) }),
    marginalAt: (t) => ({ alpha: 1, std: sigmaAt(t) }),
    coefficients: (t) => ({ drift: t.engine.zeros(t.shape), diffusion: mul(sigma(t), growth) }),
    coefficientsAt: (t) => ({ drift: 0, diffusion: sigmaAt(t) * growth }),
    discretize: (t) => {
      const [now, before] = neighbours(t);
      return { drift: 0, diffusion: Math.sqrt(now ** 2 - before ** 2) };
    },
    ancestralNoise: (t) => {
      const [now, before] = neighbours(t);
      return (before / now) * Math.sqrt(now ** 2 - before ** 2);
    },
    condition: sigma,
    conditionAt: sigmaAt,
    labelAt: (t) => Math.round((T - t) * (steps - 1)),
    discreteSigmas,
  };
}
