import type { Engine } from "../engine/engine.ts";
import { add, combine, scale, sub } from "../engine/ops/index.ts";
import type { Shape } from "../engine/tensor.ts";
import type { Energy } from "./energy.ts";
import {
  type MetropolisOptions,
  type MetropolisResult,
  metropolisChain,
  stateAt,
} from "./metropolis-chain.ts";
import { requirePositive } from "./require.ts";
import { squaredNorm } from "./squared-norm.ts";

export interface MalaOptions extends MetropolisOptions {
  /** Of the proposal x + epsilon score + sqrt(2 epsilon) z. Best where about 0.57 of the proposals are accepted. */
  epsilon: number;
}

/**
 * The Metropolis-adjusted Langevin algorithm: each step of `langevin` is a proposal, accepted so that the stationary law
 * is exp(-energy), without the bias of the unadjusted steps. Roberts & Tweedie 1996. Throws UsageError for options out of
 * range, a start of another shape, and energies of another shape than [n].
 */
export async function mala(
  engine: Engine,
  energy: Energy,
  shape: Shape,
  options: MalaOptions,
): Promise<MetropolisResult> {
  const { epsilon } = options;
  requirePositive("mala", { epsilon });
  return metropolisChain("mala", engine, energy, shape, options, (from, noise) => {
    const z = noise.normal(shape);
    const to = stateAt(
      "mala",
      energy,
      combine(from.x, [
        [epsilon, from.score],
        [Math.sqrt(2 * epsilon), z],
      ]),
    );
    // The way back is the same step with the noise -back. A normal density in either falls with half of its square.
    const back = combine(z, [
      [Math.sqrt(epsilon / 2), from.score],
      [Math.sqrt(epsilon / 2), to.score],
    ]);
    const densities = sub(from.energy, to.energy);
    return { to, logRatio: add(densities, scale(sub(squaredNorm(z), squaredNorm(back)), 0.5)) };
  });
}
