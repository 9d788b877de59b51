import type { Engine } from "../engine/engine.ts";
import { UsageError } from "../engine/errors.ts";
import { sameShape, showShape } from "../engine/shapes.ts";
import type { Shape, Tensor } from "../engine/tensor.ts";
import { type ChainOptions, owning, requireDone, runChain, startOf } from "./chain.ts";
import { StepNoise } from "./noise.ts";
import { requirePositive, requireWhole } from "./require.ts";
import type { ScoreFunction } from "./score.ts";

export interface LangevinOptions extends ChainOptions {
  /** Half of alpha in x + alpha / 2 score + sqrt(alpha) z, the other way to write the step. */
  epsilon: number;
  steps: number;
  /** What the score is told, one for each sample, [n]: labels 0 (i32) unless given. */
  condition?: Tensor;
}

/**
 * Unadjusted Langevin dynamics at one noise scale, x <- x + epsilon score + sqrt(2 epsilon) z. Its law tends to one that
 * differs from the score's by a bias of order epsilon: N(m, v) comes out with variance v / (1 - epsilon / (2 v)).
 * Roberts & Tweedie 1996; Song & Ermon 2019, equation 4. Starts from N(0, I) unless told. Returns x [n,...], the
 * caller's to dispose. Throws UsageError for options out of range, a start of another shape and conditions for another number
 * of samples.
 */
export async function langevin(
  engine: Engine,
  score: ScoreFunction,
  shape: Shape,
  options: LangevinOptions,
): Promise<Tensor> {
  const { epsilon, steps, condition, start, done, onStep } = options;
  requirePositive("langevin", { epsilon });
  requireWhole("langevin", { steps }, 1);
  requireDone("langevin", options, steps);
  if (condition && !sameShape(condition.shape, shape.slice(0, 1)))
    throw new UsageError(
      `langevin: got condition ${showShape(condition.shape)} for samples ${showShape(shape)}, expected one for each, [n]`,
    );
  const x = startOf("langevin", engine, shape, options, { std: 1 });
  const told = condition ?? engine.untrack(engine.zeros([shape[0]!], "i32"));
  const noise = new StepNoise(engine, options);
  return owning(x, { start, scratch: condition ? [] : [told] }, async () => {
    await runChain(engine, {
      steps,
      done,
      noise,
      move: () => noise.update(x, score(x, told), { pull: epsilon, noise: Math.sqrt(2 * epsilon) }),
      report: (done) => onStep?.({ done, total: steps, x }),
    });
    return x;
  });
}
