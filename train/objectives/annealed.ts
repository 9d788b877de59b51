import type { Engine } from "../../engine/engine.ts";
import { requireSigmas } from "../../engine/noise-scales.ts";
import type { Batches } from "../batches.ts";
import { annealedDsm } from "../losses/annealed-dsm.ts";
import { annealedImplicit } from "../losses/annealed-implicit.ts";
import { type MatchingName, matchingOf, requireScore, type SlicingOptions } from "./matching.ts";
import type { Objective } from "./objective.ts";

export interface AnnealedOptions extends SlicingOptions {
  /** Noise scales by label, descending. */
  sigmas: readonly number[];
  /** Gives the labels. */
  batches: Batches;
  /** Power of sigma that weighs the scales; 2 unless given. */
  annealPower?: number;
  /** How the score at each scale is matched; "dsm" unless told, which needs no second derivative. */
  loss?: MatchingName;
}

/** Score matching on a ladder of noise scales, for labelled networks of the score. Throws UsageError for sigmas out of range. */
export function annealed(
  engine: Engine,
  { sigmas, batches, annealPower = 2, loss = "dsm", ...slicing }: AnnealedOptions,
): Objective {
  requireSigmas("annealed", sigmas);
  const labels = engine.untrack(engine.zeros([batches.partSize], "i32"));
  const table = engine.untrack(engine.tensor(sigmas, [sigmas.length, 1]));
  return {
    feed(step, part) {
      labels.write(batches.labels(step, sigmas.length, part));
    },
    loss(network, x, source) {
      const score = requireScore("annealed", network);
      const ladder = { sigmas: table, draw: { ...source, purpose: "perturb" as const }, annealPower };
      return loss === "dsm"
        ? annealedDsm(score, x, labels, ladder)
        : annealedImplicit(score, x, labels, { ...ladder, matching: matchingOf(loss, slicing, source) });
    },
    differentiates: loss !== "dsm",
    dispose() {
      for (const t of [labels, table]) t.dispose();
    },
  };
}
