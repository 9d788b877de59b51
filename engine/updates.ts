import { linearUpdate as updateKernel } from "../kernels/linear-update.ts";
import { drawnNorms, normRatio as ratioKernel } from "../kernels/norm-ratio.ts";
import { blockVariant } from "../kernels/random.ts";
import { UsageError } from "./errors.ts";
import { scale } from "./ops/index.ts";
import { type Draw, drawNumbers } from "./random.ts";
import type { ScalarLike } from "./scalar.ts";
import { sameShape, showShape } from "./shapes.ts";
import type { Tensor } from "./tensor.ts";

/** Coefficients of x <- keep x + pull score + noise z. */
export interface UpdateCoefficients {
  readonly keep: ScalarLike;
  readonly pull: ScalarLike;
  readonly noise: ScalarLike;
  /** A factor u [1] of the step size, measured on the device: the update takes u pull and sqrt(u) noise. */
  readonly unit?: Tensor | undefined;
}

/**
 * x <- keep x + pull score + noise z in place, z ~ N(0, I) drawn in the kernel: the same numbers as
 * `randn(engine, x.shape, draw)`. Without a draw there is no noise. Throws UsageError when the shapes differ.
 */
export function linearUpdate(
  x: Tensor,
  score: Tensor,
  { unit, ...coefficients }: UpdateCoefficients,
  draw: Draw | undefined,
): void {
  if (!sameShape(x.shape, score.shape))
    throw new UsageError(
      `linearUpdate: got x ${showShape(x.shape)}, score ${showShape(score.shape)}, expected one shape`,
    );
  const numbers = drawNumbers(x.shape, draw ?? nothing);
  const variant = {
    ...blockVariant(x.engine.hardware, numbers.sampleSize),
    unit: unit !== undefined,
    draws: draw !== undefined,
  };
  const apart = score.storage === x.storage ? scale(score, 1) : score; // a kernel may not read what it writes
  x.engine.launch(
    updateKernel,
    variant,
    { x, score: apart, unit: unit ?? x },
    { ...numbers, ...coefficients },
  );
}

/**
 * (mean |z| / mean |score|)^2, means over the samples, of a score [n,...] and the noise z of its shape that `draw` names,
 * which is drawn in the kernel and kept nowhere. -> [1]
 */
export function normRatio(score: Tensor, draw: Draw): Tensor {
  const { engine } = score;
  const numbers = drawNumbers(score.shape, draw);
  const { samples, sampleSize } = numbers;
  const by = engine.hardware.kind === "cpu" ? "thread" : "group";
  const segments = Math.ceil(sampleSize / SEGMENT[by]);
  const sums = engine.empty([samples, segments, 2], "f32");
  engine.launch(drawnNorms, { by, vec: sampleSize % 4 === 0 }, { score, sums }, { ...numbers, segments });
  const ratio = engine.empty([1]);
  engine.launch(ratioKernel, {}, { sums, ratio }, { samples, segments });
  sums.dispose();
  return ratio;
}

/** Parameters of a kernel that draws nothing. */
const nothing: Draw = { seed: 0, purpose: "sampler" };

/** Elements that a thread or a workgroup adds up: short chains, and enough of them for every core. */
const SEGMENT = { thread: 256, group: 1024 };
