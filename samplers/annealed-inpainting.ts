import type { Engine } from "../engine/engine.ts";
import { UsageError } from "../engine/errors.ts";
import { add, broadcastTo, mul, scale, sub } from "../engine/ops/index.ts";
import type { Shape, Tensor } from "../engine/tensor.ts";
import {
  type Annealing,
  type AnnealingOptions,
  anneal,
  requireAnnealing,
  startAnnealing,
} from "./annealing.ts";
import { finiteThroughout, requireStretch, requireValues, zeroOrOne } from "./controllable/require.ts";
import { requireSamples } from "./require.ts";
import type { ScoreFunction } from "./score.ts";

export interface AnnealedInpaintingOptions extends AnnealingOptions {
  /** The images, known where the mask is 1 and finite everywhere. Stretches to the samples' shape. */
  known: Tensor;
  /** 1 where pixels are known, 0 where they are to be drawn. Stretches to the samples' shape. */
  mask: Tensor;
  /**
   * When the known pixels get new noise. "level" (unless told): once for each noise scale, and they are put back after
   * every step (Song & Ermon 2019, algorithm 2, and its code, which puts them in before the first step too); "step":
   * before every step, which then moves them too (the 2020 code).
   */
  redraw?: "level" | "step";
}

/**
 * Inpainting by annealed Langevin dynamics: all pixels move as in `annealedLangevin`, but the known ones are held at
 * what they would look like at the current noise scale, known + sigma_i z. With `denoise` the known pixels end as they
 * were given. Returns x [n,...], the caller's to dispose. Throws UsageError for options out of range, for shapes
 * that do not fit, a mask of other values than 0 and 1, and known pixels that are not finite.
 */
export async function annealedInpainting(
  engine: Engine,
  score: ScoreFunction,
  shape: Shape,
  options: AnnealedInpaintingOptions,
): Promise<Tensor> {
  const who = "annealedInpainting";
  const { redraw = "level" } = options;
  requireAnnealing(who, options);
  if (redraw !== "level" && redraw !== "step")
    throw new UsageError(`${who}: got redraw ${redraw}, expected level or step`);
  requireSamples(who, shape);
  requireStretch(who, "known", options.known, shape);
  requireStretch(who, "mask", options.mask, shape);
  await requireValues(who, "known", options.known, finiteThroughout);
  await requireValues(who, "mask", options.mask, zeroOrOne);
  const x = startAnnealing(who, engine, shape, options);
  const kept = engine.scope(() => ({
    known: add(broadcastTo(options.known, shape), 0),
    mask: add(broadcastTo(options.mask, shape), 0),
    free: sub(1, broadcastTo(options.mask, shape)),
    noisy: engine.zeros(shape),
  }));
  const { known, mask, free, noisy } = kept;
  const scratch = Object.values(kept).map((t) => engine.untrack(t));

  const noisyKnown = ({ noise, sigma }: Annealing) => add(known, scale(noise.normal(shape, KNOWN), sigma));
  const hold = (y: Tensor) => engine.copy(add(mul(mask, y), mul(free, x)), x);
  const step = ({ score, noise, pull, kick }: Annealing) => noise.update(x, score(x), { pull, noise: kick });

  const schedule = {
    level: {
      enter(at: Annealing) {
        engine.copy(noisyKnown(at), noisy);
        hold(noisy);
      },
      move: (at: Annealing) => {
        step(at);
        hold(noisy);
      },
    },
    step: {
      move: (at: Annealing) => {
        hold(noisyKnown(at));
        step(at);
      },
    },
  }[redraw];
  return anneal(x, score, options, { ...schedule, leave: () => hold(known) }, scratch);
}

/** Tells the known pixels' draws from the steps'. */
const KNOWN = 1;
