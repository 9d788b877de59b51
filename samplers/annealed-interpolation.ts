import type { Engine } from "../engine/engine.ts";
import { add, broadcastTo, combine, mul, reshape } from "../engine/ops/index.ts";
import type { Shape, Tensor } from "../engine/tensor.ts";
import { type AnnealingOptions, anneal, requireAnnealing, startAnnealing } from "./annealing.ts";
import { requireWhole } from "./require.ts";
import type { ScoreFunction } from "./score.ts";
import { linspace } from "./sde/sde.ts";

export interface AnnealedInterpolationOptions extends Omit<AnnealingOptions, "done" | "fusion"> {
  /** Images from one end of a row to the other, both among them. */
  interpolations: number;
}

/**
 * Interpolation between samples of annealed Langevin dynamics. All images of a row start alike and move as in
 * `annealedLangevin`, each with its own mixture of the row's two noises, cos(angle) p + sin(angle) q, angles in equal
 * steps from 0 to pi / 2: each is a sample for itself, and neighbours resemble each other. NCSNv2's code (Song & Ermon 2020).
 * shape: of the rows' starts, [rows,...]; `start` has it and is left as it is, `sampleOffset` counts rows. Returns x
 * [rows * interpolations,...], row by row, the caller's to dispose. Throws UsageError for options out of range.
 */
export async function annealedInterpolation(
  engine: Engine,
  score: ScoreFunction,
  shape: Shape,
  options: AnnealedInterpolationOptions,
): Promise<Tensor> {
  const who = "annealedInterpolation";
  const { interpolations: count, start, ...rest } = options;
  requireAnnealing(who, options);
  requireWhole(who, { interpolations: count }, 2);
  const [rows, ...image] = shape as [number, ...number[]];
  const first = startAnnealing(who, engine, shape, options);
  const asRows = (t: Tensor) => reshape(t, [rows, 1, ...image]);
  const x = engine.untrack(
    engine.scope(() =>
      reshape(broadcastTo(asRows(first), [rows, count, ...image]), [rows * count, ...image]),
    ),
  );
  if (first !== start) first.dispose();

  const angles = linspace(0, Math.PI / 2, count);
  /** One for each image of a row: [1,count,1,...]. */
  const weights = (of: (angle: number) => number) =>
    engine.untrack(engine.tensor(angles.map(of), [1, count, ...image.map(() => 1)]));
  const [p, q] = [weights(Math.cos), weights(Math.sin)];

  return anneal(
    x,
    score,
    rest,
    {
      move: ({ score, noise, pull, kick }) => {
        const s = score(x);
        const z = reshape(
          add(mul(asRows(noise.normal(shape, 0)), p), mul(asRows(noise.normal(shape, 1)), q)),
          x.shape,
        );
        engine.copy(
          combine(x, [
            [pull, s],
            [kick, z],
          ]),
          x,
        );
      },
    },
    [p, q],
  );
}
