import { UsageError } from "../../engine/errors.ts";
import type { DrawSource } from "../../engine/random.ts";
import type { Predictor } from "../../models/prediction.ts";
import type { Denoiser } from "../losses/denoising.ts";
import { hyvarinenTerms } from "../losses/hyvarinen.ts";
import type { ImplicitMatching } from "../losses/implicit.ts";
import { type Projection, projections } from "../losses/projections.ts";
import { slicedTerms } from "../losses/sliced.ts";

/** Score matching without a target: explicit, sliced, sliced with variance reduction. */
export const implicitNames = ["hyvarinen", "ssm", "ssm-vr"] as const;
export type ImplicitName = (typeof implicitNames)[number];

/** All losses of networks of the score on a ladder of noise scales; "dsm" is denoising score matching. */
export const matchingNames = ["dsm", ...implicitNames] as const;
export type MatchingName = (typeof matchingNames)[number];

export interface SlicingOptions {
  /** Law of the vectors along which the sliced losses look; "gaussian" unless told. */
  projection?: Projection;
  /** Vectors for each sample; 1 unless told. */
  particles?: number;
}

/** A loss by its name, with the vectors of a step drawn from its source. */
export function matchingOf(
  name: ImplicitName,
  options: SlicingOptions,
  source: DrawSource,
): ImplicitMatching {
  if (name === "hyvarinen") return hyvarinenTerms;
  return (score, x) =>
    slicedTerms(score, x, {
      vectors: projections(x, { ...options, ...source }),
      varianceReduction: name === "ssm-vr",
    });
}

/** The network, known to predict the score. Throws UsageError when it predicts something else. */
export function requireScore(who: string, network: Denoiser): Predictor<"score"> {
  if (network.predicts !== "score")
    throw new UsageError(
      `${who}: got a network that predicts ${network.predicts}, expected score; train it on an SDE`,
    );
  return network as Predictor<"score">;
}
