import type { Engine } from "../engine/engine.ts";
import { metropolis } from "../engine/metropolis.ts";
import { add } from "../engine/ops/index.ts";
import type { Shape, Tensor } from "../engine/tensor.ts";
import { type ChainOptions, owning, requireDone, runChain, startOf } from "./chain.ts";
import { type Energy, energyOf } from "./energy.ts";
import { StepNoise } from "./noise.ts";
import { requireWhole } from "./require.ts";

export interface MetropolisOptions extends Omit<ChainOptions, "fusion"> {
  steps: number;
}

export interface MetropolisResult {
  /** [n,...], the caller's to dispose. */
  readonly x: Tensor;
  /** Share of this call's proposals that were accepted, over all chains. */
  readonly acceptance: number;
  /** Of each chain: one that stands still is seen here. [n] */
  readonly acceptances: Float32Array<ArrayBuffer>;
}

/** Where chains stand: x [n,...] with its energy [n] and its score, which the next step needs again. */
interface State {
  readonly x: Tensor;
  readonly energy: Tensor;
  readonly score: Tensor;
}

/** Where chains might go, and log of the ratio of the densities of going back and of going there, [n]. */
interface Proposal {
  readonly to: State;
  readonly logRatio: Tensor;
}

/**
 * Chains that go where `propose` says or stay, each by Metropolis' rule: their stationary law is exp(-energy), exactly.
 * The decisions are made on the device; one captured step is replayed, and rates are read at the end. Starts from N(0, I)
 * unless told.
 */
export async function metropolisChain(
  who: string,
  engine: Engine,
  energy: Energy,
  shape: Shape,
  options: MetropolisOptions,
  propose: (from: State, noise: StepNoise) => Proposal,
): Promise<MetropolisResult> {
  const { steps, seed, start, sampleOffset = 0, done = 0, onStep } = options;
  requireWhole(who, { steps }, 1);
  requireDone(who, options, steps);
  const x = startOf(who, engine, shape, options, { std: 1 });
  const noise = new StepNoise(engine, options);
  const scratch: Tensor[] = [];
  return owning(x, { start, scratch }, async () => {
    const kept = engine.scope(() => engine.noGrad(() => stateAt(who, energy, x)));
    const accepted = engine.zeros([shape[0]!]);
    scratch.push(...[kept.energy, kept.score, accepted].map((t) => engine.untrack(t)));
    const move = () => {
      const { to, logRatio } = propose(kept, noise);
      const moves: [Tensor, Tensor][] = [
        [x, to.x],
        [kept.energy, to.energy],
        [kept.score, to.score],
        [accepted, add(accepted, 1)],
      ];
      for (const [from, there] of moves)
        metropolis(from, there, logRatio, { seed, step: noise.step, sampleOffset });
    };
    await runChain(engine, {
      steps,
      done,
      noise,
      move,
      report: (taken) => onStep?.({ done: taken, total: steps, x }),
    });
    const acceptances = ((await accepted.data()) as Float32Array<ArrayBuffer>).map(
      (count) => count / Math.max(1, steps - done),
    );
    return { x, acceptances, acceptance: acceptances.reduce((sum, rate) => sum + rate, 0) / shape[0]! };
  });
}

/** The state at x. Throws UsageError where the energy is not one for each sample. */
export const stateAt = (who: string, energy: Energy, x: Tensor): State => ({
  x,
  energy: energyOf(who, energy, x),
  score: energy.score(x),
});
