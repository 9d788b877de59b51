import type { Engine } from "../engine/engine.ts";
import type { Shape, Tensor } from "../engine/tensor.ts";
import { type AnnealingOptions, anneal, requireAnnealing, startAnnealing } from "./annealing.ts";
import type { ScoreFunction } from "./score.ts";

export type { SamplerStep } from "./annealing.ts";

export type AnnealedLangevinOptions = AnnealingOptions;

/**
 * Annealed Langevin dynamics, x <- x + a score + sqrt(2 a) z with a = epsilon sigma_i^2 / sigma_L^2: algorithm 1 of
 * Song & Ermon 2019 in the form of their image code, where their alpha is 2 a (the two-dimensional experiment has
 * epsilon = alpha_L / 2), and with `denoise` that of Song & Ermon 2020. One captured step is replayed for all.
 * `score` is told labels [n] (i32). Returns x [n,...], the caller's to dispose. Throws UsageError for options out of
 * range and a start of another shape.
 */
export async function annealedLangevin(
  engine: Engine,
  score: ScoreFunction,
  shape: Shape,
  options: AnnealedLangevinOptions,
): Promise<Tensor> {
  const who = "annealedLangevin";
  requireAnnealing(who, options);
  const x = startAnnealing(who, engine, shape, options);
  return anneal(x, score, options, {
    move: ({ score, noise, pull, kick }) => noise.update(x, score(x), { pull, noise: kick }),
  });
}
