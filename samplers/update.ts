import { add, div, mean, mul, scale, sqrt, square, sum } from "../engine/ops/index.ts";
import type { Draw } from "../engine/random.ts";
import { Tensor } from "../engine/tensor.ts";
import { linearUpdate, normRatio as measure, type UpdateCoefficients } from "../engine/updates.ts";

/** z ~ N(0, I) of an update: to be drawn inside its kernel, or a tensor of x's shape. The same Draw, the same numbers. */
export type Noise = Draw | Tensor;

/** x <- keep x + pull score + noise z in place, as one kernel or as ops; without z there is no noise. */
export function update(x: Tensor, score: Tensor, c: UpdateCoefficients, z: Noise | undefined): void {
  if (z !== undefined && !(z instanceof Tensor)) {
    linearUpdate(x, score, c, z);
    return;
  }
  const noiseless = add(scale(x, c.keep), times(score, c.pull, c.unit));
  x.engine.copy(z ? add(noiseless, times(z, c.noise, c.unit && sqrt(c.unit))) : noiseless, x);
}

/** (mean |z| / mean |score|)^2, means over the samples of score [n,...]. -> [1] */
export function normRatio(score: Tensor, z: Noise): Tensor {
  if (!(z instanceof Tensor)) return measure(score, z);
  const axis = score.shape.map((_, i) => i).slice(1);
  const norm = (t: Tensor) => mean(sqrt(sum(square(t), { axis })), { keepDims: true });
  return square(div(norm(z), norm(score)));
}

const times = (t: Tensor, s: UpdateCoefficients["pull"], unit: Tensor | undefined): Tensor =>
  unit ? mul(t, scale(unit, s)) : scale(t, s);
