import { crossEntropy, dsmPerturb } from "../../engine/ops/index.ts";
import type { Draw } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Predictor } from "../../models/prediction.ts";

export interface NoisyCrossEntropyOptions {
  /** Of each sample's noise, above 0, [n]. */
  sigma: Tensor;
  /** Where the noise comes from. */
  draw: Draw;
}

/**
 * Mean cross-entropy in nats of the classes [n] (i32) of images x [n,...], looked at through noise: of p(y | x + sigma z).
 * What trains the classifier of Song et al. 2021, appendix I.1. -> []. Throws UsageError for other shapes.
 */
export function noisyCrossEntropy(
  classifier: Predictor<"logits">,
  x: Tensor,
  classes: Tensor,
  { sigma, draw }: NoisyCrossEntropyOptions,
): Tensor {
  const { noisy } = dsmPerturb(x, sigma, draw);
  return crossEntropy(classifier(noisy, sigma), classes);
}
