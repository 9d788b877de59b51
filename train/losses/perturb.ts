import { UsageError } from "../../engine/errors.ts";
import { add, dsmPerturb, embedding, mul, perSample, reshape } from "../../engine/ops/index.ts";
import type { Draw } from "../../engine/random.ts";
import { sameShape, showShape } from "../../engine/shapes.ts";
import { Tensor } from "../../engine/tensor.ts";

/** Images as they are shown to a network on a ladder of noise scales. */
export interface LadderOptions {
  /** Noise scales by label, [count, 1]. */
  sigmas: Tensor;
  /** Where the noise comes from; or standard normal noise itself, of x's shape. */
  draw: Draw | Tensor;
}

interface Perturbed {
  /** x + sigma z. */
  readonly noisy: Tensor;
  readonly z: Tensor;
  /** Of each sample, [n]. */
  readonly sigma: Tensor;
}

/** Images x [n,...] with the noise that their labels [n] (i32) name. */
export function perturbByLabel(x: Tensor, labels: Tensor, { sigmas, draw }: LadderOptions): Perturbed {
  const sigma = reshape(embedding(sigmas, labels), [-1]);
  return { ...perturb(x, sigma, draw), sigma };
}

/** x + sigma z for sigma [n]. Throws UsageError for noise of another shape than x's. */
export function perturb(x: Tensor, sigma: Tensor, draw: Draw | Tensor): Omit<Perturbed, "sigma"> {
  if (!(draw instanceof Tensor)) return dsmPerturb(x, sigma, draw);
  if (!sameShape(x.shape, draw.shape))
    throw new UsageError(
      `perturb: got x ${showShape(x.shape)}, noise ${showShape(draw.shape)}, expected one shape`,
    );
  return { noisy: add(x, mul(draw, perSample(sigma, x))), z: draw };
}
