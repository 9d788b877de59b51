import type { Engine } from "../engine/engine.ts";
import { UsageError } from "../engine/errors.ts";
import { requireSigmas } from "../engine/noise-scales.ts";
import { Scalar } from "../engine/scalar.ts";
import type { Shape, Tensor } from "../engine/tensor.ts";
import type { SamplerStep } from "./annealing.ts";
import { type ChainOptions, owning, requireDone, runChain, startOf } from "./chain.ts";
import { StepNoise } from "./noise.ts";
import { requirePositive } from "./require.ts";
import type { ScoreFunction } from "./score.ts";

export interface ConsistentAnnealingOptions extends ChainOptions<SamplerStep> {
  /** Noise scales by label, descending; one step at each. */
  sigmas: readonly number[];
  /**
   * Step size at the smallest scale, as in `annealedLangevin`: each step takes the share eta = epsilon / sigma_L^2 of
   * the noise away, and puts back what the next scale has more of. |1 - eta| sigma_i may not exceed sigma_(i+1).
   */
  epsilon: number;
  /** End at the mean of the denoised image, x + sigma_L^2 score, in the last step. On unless told. */
  denoise?: boolean;
}

/**
 * Consistent annealed sampling: x <- x + eta sigma_i^2 score + sqrt(sigma_(i+1)^2 - (1 - eta)^2 sigma_i^2) z, by which x
 * has just the noise sigma_(i+1) that the score is told next, where a Langevin step leaves it more. No noise comes
 * after the last. Jolicoeur-Martineau et al. 2021, algorithm 2. Starts from N(0, sigma_1^2) unless told. One captured step is
 * replayed for all. `score` is told labels [n] (i32). Returns x [n,...], the caller's to dispose. Throws UsageError for
 * options out of range, an epsilon that no noise makes up for, and a start of another shape.
 */
export async function consistentAnnealing(
  engine: Engine,
  score: ScoreFunction,
  shape: Shape,
  options: ConsistentAnnealingOptions,
): Promise<Tensor> {
  const { sigmas, epsilon, denoise = true, start, done, onStep } = options;
  const who = "consistentAnnealing";
  requireSigmas(who, sigmas);
  requirePositive(who, { epsilon });
  const eta = epsilon / sigmas.at(-1)! ** 2;
  requireConsistent(who, sigmas, epsilon);
  requireDone(who, options, sigmas.length);
  const x = startOf(who, engine, shape, options, { std: sigmas[0]! });
  const [n] = shape as [number];
  const labels = engine.untrack(engine.zeros([n], "i32"));
  const noise = new StepNoise(engine, options);
  const [pull, fresh] = [new Scalar(0), new Scalar(0)];
  const steps = sigmas.length;
  return owning(x, { start, scratch: [labels] }, async () => {
    await runChain(engine, {
      steps,
      done,
      noise,
      prepare(k) {
        const [sigma, next] = [sigmas[k]!, sigmas[k + 1]];
        labels.write(new Int32Array(n).fill(k));
        pull.value = (next === undefined && denoise ? 1 : eta) * sigma ** 2;
        fresh.value = next === undefined ? 0 : Math.sqrt(Math.max(0, next ** 2 - ((1 - eta) * sigma) ** 2));
      },
      move: () => noise.update(x, score(x, labels), { pull, noise: fresh }),
      report: (done) => onStep?.({ done, total: steps, level: done - 1, sigma: sigmas[done - 1]!, x }),
    });
    return x;
  });
}

/** Throws UsageError where a step would leave more noise than the next scale has. */
export function requireConsistent(who: string, sigmas: readonly number[], epsilon: number): void {
  const last = sigmas.at(-1)!;
  const ratio = Math.min(1, ...sigmas.slice(1).map((sigma, i) => sigma / sigmas[i]!));
  const [least, most] = [last ** 2 * (1 - ratio), last ** 2 * (1 + ratio)];
  if (!(epsilon >= least && epsilon <= most))
    throw new UsageError(
      `${who}: got epsilon ${epsilon} for these scales, expected ${least.toPrecision(3)} to ${most.toPrecision(3)}: ` +
        `each step has to leave less noise than the next scale has; give an epsilon in between`,
    );
}
