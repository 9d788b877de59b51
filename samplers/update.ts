import { invariant, UsageError } from "../engine/errors.ts";
import { add, div, mean, mul, perSample, scale, sqrt, square } from "../engine/ops/index.ts";
import type { Draw } from "../engine/random.ts";
import { sameShape, showShape } from "../engine/shapes.ts";
import { Tensor } from "../engine/tensor.ts";
import {
  linearUpdate,
  normRatio as measure,
  type NormsOver,
  type UpdateCoefficients,
} from "../engine/updates.ts";
import { squaredNorm } from "./squared-norm.ts";

/** z ~ N(0, I) of an update: to be drawn inside its kernel, or a tensor of x's shape. The same Draw, the same numbers. */
export type Noise = Draw | Tensor;

/**
 * x <- keep x + pull score + noise z in place; without z there is no noise. As one kernel, or as ops where z is in memory
 * or `separate` asks for them. Throws UsageError when the shapes differ, which ops would stretch.
 */
export function update(
  x: Tensor,
  score: Tensor,
  c: UpdateCoefficients,
  z: Noise | undefined,
  separate = false,
): void {
  if (!separate && !(z instanceof Tensor)) {
    linearUpdate(x, score, c, z);
    return;
  }
  invariant(z === undefined || z instanceof Tensor, "update: separate ops take noise from memory");
  for (const [name, t] of Object.entries({ score, noise: z ?? x }))
    if (!sameShape(t.shape, x.shape))
      throw new UsageError(
        `update: got x ${showShape(x.shape)}, ${name} ${showShape(t.shape)}, expected one shape`,
      );
  const unit = c.unit && perSample(c.unit, x);
  const noiseless = add(scale(x, c.keep), times(score, c.pull, unit));
  x.engine.copy(z ? add(noiseless, times(z, c.noise, unit && sqrt(unit))) : noiseless, x);
}

/** (mean |z| / mean |score|)^2, means over the samples of score [n,...] -> [1]; over "sample" each for itself, [n]. */
export function normRatio(score: Tensor, z: Noise, over: NormsOver = "batch"): Tensor {
  if (!(z instanceof Tensor)) return measure(score, z, over);
  const norms = (t: Tensor) => sqrt(squaredNorm(t));
  const norm = (t: Tensor) => (over === "sample" ? norms(t) : mean(norms(t), { keepDims: true }));
  return square(div(norm(z), norm(score)));
}

const times = (t: Tensor, s: UpdateCoefficients["pull"], unit: Tensor | undefined): Tensor =>
  unit ? mul(t, scale(unit, s)) : scale(t, s);
