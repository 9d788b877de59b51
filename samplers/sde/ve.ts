import { UsageError } from "../../engine/errors.ts";
import { exp, mul } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { linspace, requireSteps, type Sde } from "./sde.ts";

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
}

/**
 * The variance exploding SDE dx = sqrt(d[sigma^2]/dt) dw with sigma(t) = sigmaMin (sigmaMax / sigmaMin)^t, t in [0, 1]:
 * the noise of NCSN in continuous time. Song et al. 2021, equations 9 and 30. Throws UsageError for options out of
 * range.
 */
export function ve({ sigmaMin, sigmaMax, steps = 1000 }: VeOptions): Ve {
  if (!(sigmaMin > 0 && sigmaMax > sigmaMin && Number.isFinite(sigmaMax)))
    throw new UsageError(
      `ve: got sigmaMin ${sigmaMin}, sigmaMax ${sigmaMax}, expected 0 < sigmaMin < sigmaMax`,
    );
  requireSteps("ve", steps);
  const logRatio = Math.log(sigmaMax / sigmaMin);
  const sigma = (t: Tensor) => mul(exp(mul(t, logRatio)), sigmaMin);
  return {
    name: "ve",
    T: 1,
    steps,
    marginal: (t) => ({ alpha: t.engine.ones(t.shape), std: sigma(t) }),
    marginalAt: (t) => ({ alpha: 1, std: sigmaMin * Math.exp(t * logRatio) }),
    condition: sigma,
    discreteSigmas: linspace(Math.log(sigmaMin), Math.log(sigmaMax), steps).map(Math.exp),
  };
}
