import { requireAnnealPower } from "../../engine/ops/dsm.ts";
import { pow } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Predictor } from "../../models/prediction.ts";
import { type ImplicitMatching, implicitLoss } from "./implicit.ts";
import { type LadderOptions, perturbByLabel } from "./perturb.ts";

export interface AnnealedImplicitOptions extends LadderOptions {
  /** How the score of the noisy images is matched: `slicedTerms` along some vectors, or `hyvarinenTerms`. */
  matching: ImplicitMatching;
  /** Power of sigma that weighs the scales; 2 unless given. */
  annealPower?: number;
}

/**
 * Score matching without a target over noise scales, of which labels [n] (i32) name each sample's: sliced or explicit
 * score matching at x + sigma z, weighted by sigma^annealPower. Song & Ermon 2019, sections 4.2 and 2.1. x [n,...] -> []. Throws
 * UsageError for an annealPower that is not finite.
 */
export function annealedImplicit(
  score: Predictor<"score">,
  x: Tensor,
  labels: Tensor,
  { matching, annealPower = 2, ...ladder }: AnnealedImplicitOptions,
): Tensor {
  requireAnnealPower("annealedImplicit", annealPower);
  return x.engine.scope(() => {
    const { noisy, sigma } = perturbByLabel(x, labels, ladder);
    const terms = matching((y) => score(y, labels), noisy);
    return implicitLoss(terms, pow(sigma, annealPower));
  });
}
