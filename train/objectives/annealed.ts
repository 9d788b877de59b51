import type { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import type { Predictor } from "../../models/prediction.ts";
import type { Batches } from "../batches.ts";
import { annealedDsm } from "../losses/annealed-dsm.ts";
import type { Denoiser } from "../losses/denoising.ts";
import { requireSigmas } from "../sigmas.ts";
import type { Objective } from "./objective.ts";

export interface AnnealedOptions {
  /** Noise scales by label, descending. */
  sigmas: readonly number[];
  /** Gives the labels. */
  batches: Batches;
  /** Power of sigma that weighs the scales; 2 unless given. */
  annealPower?: number;
}

/** Denoising score matching on a ladder of noise scales, for labelled networks of the score. Throws UsageError for sigmas out of range. */
export function annealed(engine: Engine, { sigmas, batches, annealPower }: AnnealedOptions): Objective {
  requireSigmas("annealed", sigmas);
  const labels = engine.untrack(engine.zeros([batches.partSize], "i32"));
  const table = engine.untrack(engine.tensor(sigmas, [sigmas.length, 1]));
  return {
    feed(step, part) {
      labels.write(batches.labels(step, sigmas.length, part));
    },
    loss: (network, x, source) =>
      annealedDsm(requireScore(network), x, labels, {
        sigmas: table,
        draw: { ...source, purpose: "perturb" },
        ...(annealPower !== undefined && { annealPower }),
      }),
    dispose() {
      for (const t of [labels, table]) t.dispose();
    },
  };
}

function requireScore(network: Denoiser): Predictor<"score"> {
  if (network.predicts !== "score")
    throw new UsageError(
      `annealed: got a network that predicts ${network.predicts}, expected score; train it on an SDE`,
    );
  return network as Predictor<"score">;
}
