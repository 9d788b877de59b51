import type { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import { broadcastTo, matmul, reshape } from "../../engine/ops/index.ts";
import { showShape } from "../../engine/shapes.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import type { PredictorCorrectorResult } from "../pc.ts";
import type { ScoreFunction } from "../score.ts";
import { type HeldOptions, heldSampling } from "./held.ts";
import { imputation } from "./inpaint.ts";
import { finite, requireStretch, requireValues } from "./require.ts";

export interface ColorizeOptions extends HeldOptions {
  /** Gray images: each pixel the mean of its red, green and blue. Stretches to the samples' shape, [n,1,h,w] say. */
  gray: Tensor;
}

/**
 * Colorization by predictor-corrector sampling: inpainting in coordinates of which the first is the gray value, known,
 * and the other two the colour, to be drawn. They are orthonormal, so that noise looks alike in them. Song et al. 2021,
 * section 5 and appendix I.3; the published code starts from the prior without its red where it means its gray.
 * x [n,3,h,w] is the caller's to dispose. Throws UsageError for samples without three channels, for gray images that do
 * not stretch to them or are not finite, and for whatever `predictorCorrector` refuses.
 */
export async function colorize(
  engine: Engine,
  score: ScoreFunction,
  shape: Shape,
  { gray, ...options }: ColorizeOptions,
): Promise<PredictorCorrectorResult> {
  if (shape.length !== 4 || shape[1] !== 3)
    throw new UsageError(`colorize: got samples ${showShape(shape)}, expected [n,3,h,w]`);
  requireStretch("colorize", "gray", gray, shape);
  await requireValues("colorize", "gray", gray, finite);

  using known = engine.scope(() => engine.noGrad(() => decouple(broadcastTo(gray, shape))));
  using mask = engine.tensor([1, 0, 0], [1, 3, 1, 1]);
  for (const t of [known, mask]) engine.untrack(t);
  const hold = imputation(known, mask);
  return await heldSampling("colorize", engine, score, shape, options, (x, alpha, noise) =>
    couple(hold(decouple(x), alpha, noise)),
  );
}

/** Red, green and blue of the three coordinates, one in each column: gray, and two of colour. The published matrix. */
const AXES = [
  [1 / Math.sqrt(3), -2 / Math.sqrt(6), 0],
  [1 / Math.sqrt(3), 1 / Math.sqrt(6), 1 / Math.SQRT2],
  [1 / Math.sqrt(3), 1 / Math.sqrt(6), -1 / Math.SQRT2],
];

/** Colours [n,3,h,w] in the coordinates of AXES; the first is sqrt(3) times the gray value. -> [n,3,h,w] */
export const decouple = (x: Tensor): Tensor => mixed(x, true);

/** Back to colours: the inverse of `decouple`. */
export const couple = (x: Tensor): Tensor => mixed(x, false);

function mixed(x: Tensor, transposeA: boolean): Tensor {
  const [n, channels] = x.shape as [number, number];
  const axes = x.engine.tensor(AXES.flat(), [3, 3]);
  return reshape(matmul(axes, reshape(x, [n, channels, -1]), { transposeA }), x.shape);
}
