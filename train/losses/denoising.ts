import { UsageError } from "../../engine/errors.ts";
import {
  add,
  embedding,
  mean,
  mul,
  perSample,
  reshape,
  scale,
  square,
  sub,
  sum,
} from "../../engine/ops/index.ts";
import { sameShape, showShape } from "../../engine/shapes.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Predictor } from "../../models/prediction.ts";

export type Denoiser = Predictor<"score" | "eps">;

export interface ReductionOptions {
  /** Mean over a sample's elements, as the VP networks were trained; half their sum if false, as the VE networks. */
  reduceMean: boolean;
}

/** Images x [n,...] on their way to noise: alpha x + std z, of which the network is told `condition`. */
interface Perturbation {
  /** [n] each. */
  readonly alpha: Tensor;
  readonly std: Tensor;
  readonly condition: Tensor;
  /** Standard normal, x's shape. */
  readonly z: Tensor;
  /** Of each sample's squared error [n]; 1 unless given. */
  readonly weight?: Tensor;
}

/**
 * Denoising score matching weighted by std^2 at every noise scale: |std score + z|^2 for a network that predicts the
 * score at x = alpha x0 + std z, |eps - z|^2 for one that predicts the noise, which is the same with score = -eps / std.
 * Reduced over a sample, then the mean over the batch. -> []. Throws UsageError for noise of another shape than x's.
 */
export function denoisingLoss(
  network: Denoiser,
  x: Tensor,
  { alpha, std, condition, z, weight }: Perturbation,
  { reduceMean }: ReductionOptions,
): Tensor {
  if (!sameShape(x.shape, z.shape))
    throw new UsageError(
      `denoisingLoss: got x ${showShape(x.shape)}, noise ${showShape(z.shape)}, expected one shape`,
    );
  const [a, s] = [perSample(alpha, x), perSample(std, x)];
  const output = network(add(mul(x, a), mul(z, s)), condition);
  const squares = square(network.predicts === "eps" ? sub(output, z) : add(mul(output, s), z));
  const error = weight ? mul(squares, perSample(weight, x)) : squares;
  return reduceMean ? mean(error) : scale(sum(error), 0.5 / x.dim(0));
}

/** The numbers of a table at labels [n] (i32). -> [n] */
export const lookUp = (table: readonly number[], labels: Tensor): Tensor =>
  reshape(embedding(labels.engine.tensor(table, [table.length, 1]), labels), [-1]);
