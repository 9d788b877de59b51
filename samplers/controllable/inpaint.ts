import type { Engine } from "../../engine/engine.ts";
import { add, mul, scale, sub } from "../../engine/ops/index.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import type { PredictorCorrectorResult } from "../pc.ts";
import type { ScoreFunction } from "../score.ts";
import { type HeldOptions, type Hold, heldSampling } from "./held.ts";
import { finiteThroughout, requireStretch, requireValues, zeroOrOne } from "./require.ts";

export interface InpaintOptions extends HeldOptions {
  /** The images, known where the mask is 1 and finite everywhere. Stretches to the samples' shape. */
  known: Tensor;
  /** 1 where pixels are known, 0 where they are to be drawn. Stretches to the samples' shape. */
  mask: Tensor;
}

/**
 * Inpainting by predictor-corrector sampling: known pixels are replaced by alpha(t) known + std(t) z after each update.
 * Song et al. 2021, section 5 and appendix I.2. Without a corrector, or with few of its steps, the rest follows the known
 * pixels too little: figures at `heldSampling`. x [n,...] is the caller's to dispose. Throws UsageError for shapes that
 * do not stretch, a mask of other values than 0 and 1, known pixels that are not finite, and whatever
 * `predictorCorrector` refuses.
 */
export async function inpaint(
  engine: Engine,
  score: ScoreFunction,
  shape: Shape,
  { known, mask, ...options }: InpaintOptions,
): Promise<PredictorCorrectorResult> {
  requireStretch("inpaint", "known", known, shape);
  requireStretch("inpaint", "mask", mask, shape);
  await requireValues("inpaint", "known", known, finiteThroughout);
  await requireValues("inpaint", "mask", mask, zeroOrOne);
  return heldSampling("inpaint", engine, score, shape, options, imputation(known, mask));
}

/** Replaces the elements where the mask is 1. */
export const imputation =
  (known: Tensor, mask: Tensor): Hold =>
  (x, alpha, noise) => {
    const then = scale(known, alpha);
    return add(mul(mask, noise ? add(then, noise) : then), mul(sub(1, mask), x));
  };
