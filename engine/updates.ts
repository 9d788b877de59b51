import { langevinStep as langevinKernel } from "../kernels/langevin.ts";
import { blockVariant } from "../kernels/random.ts";
import { UsageError } from "./errors.ts";
import { type Draw, drawNumbers } from "./random.ts";
import type { ScalarLike } from "./scalar.ts";
import { sameShape, showShape } from "./shapes.ts";
import type { Tensor } from "./tensor.ts";

/**
 * x <- x + a score + b z in place, z ~ N(0, I) drawn in the kernel: the same numbers as `randn(engine, x.shape, draw)`.
 * Algorithm 1 of Song & Ermon 2019 has a = alpha / 2 and b = sqrt(alpha). Throws UsageError when the shapes differ.
 */
export function langevinStep(
  x: Tensor,
  score: Tensor,
  { a, b, draw }: { a: ScalarLike; b: ScalarLike; draw: Draw },
): void {
  if (!sameShape(x.shape, score.shape))
    throw new UsageError(
      `langevinStep: got x ${showShape(x.shape)}, score ${showShape(score.shape)}, expected one shape`,
    );
  const numbers = drawNumbers(x.shape, draw);
  const variant = blockVariant(x.engine.hardware, numbers.sampleSize);
  x.engine.launch(langevinKernel, variant, { x, score }, { ...numbers, a, b });
}
