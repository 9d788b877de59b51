import type { Engine } from "../engine/engine.ts";
import { add, combine, scale, sub } from "../engine/ops/index.ts";
import type { Shape, Tensor } from "../engine/tensor.ts";
import { type Energy, energyOf } from "./energy.ts";
import { type MetropolisOptions, type MetropolisResult, metropolisChain } from "./metropolis-chain.ts";
import { requirePositive, requireWhole } from "./require.ts";
import { squaredNorm } from "./squared-norm.ts";

export interface HmcOptions extends MetropolisOptions {
  /** Of one leapfrog step. Best where about 0.65 of the proposals are accepted. */
  stepSize: number;
  /** Leapfrog steps in a proposal, each with one evaluation of the score. */
  leapfrogs: number;
}

/**
 * Hamiltonian Monte Carlo with unit masses: each chain gets a momentum p ~ N(0, I) and follows Hamilton's equations
 * dx = p dt, dp = score dt by leapfrog steps; where it comes to is accepted so that the stationary law is exp(-energy).
 * Duane et al. 1987; Neal 2011. One step of one leapfrog is a step of MALA with epsilon = stepSize^2 / 2. Throws
 * UsageError for options out of range, a start of another shape, and energies of another shape than [n].
 */
export async function hmc(
  engine: Engine,
  energy: Energy,
  shape: Shape,
  options: HmcOptions,
): Promise<MetropolisResult> {
  const { stepSize: h, leapfrogs } = options;
  requirePositive("hmc", { stepSize: h });
  requireWhole("hmc", { leapfrogs }, 1);

  /** Half a step of the momentum, a whole one of the place, and the other half of the momentum. */
  const leapfrog = ({ x, p, score }: Moving): Moving => {
    const halfway = combine(p, [[h / 2, score]]);
    const there = combine(x, [[h, halfway]]);
    const pull = energy.score(there);
    return { x: there, p: combine(halfway, [[h / 2, pull]]), score: pull };
  };

  return metropolisChain("hmc", engine, energy, shape, options, (from, noise) => {
    const begin = noise.normal(shape);
    let at: Moving = { x: from.x, p: begin, score: from.score };
    for (let i = 0; i < leapfrogs; i++) at = engine.scope(() => leapfrog(at));
    const to = { x: at.x, score: at.score, energy: energyOf("hmc", energy, at.x) };
    const kinetic = scale(sub(squaredNorm(begin), squaredNorm(at.p)), 0.5);
    return { to, logRatio: add(sub(from.energy, to.energy), kinetic) };
  });
}

interface Moving {
  readonly x: Tensor;
  readonly p: Tensor;
  readonly score: Tensor;
}
