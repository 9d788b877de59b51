import { implicitLoss } from "../losses/implicit.ts";
import { type ImplicitName, matchingOf, requireScore, type SlicingOptions } from "./matching.ts";
import type { Objective } from "./objective.ts";

export interface UnperturbedOptions extends SlicingOptions {
  loss: ImplicitName;
}

/**
 * Score matching on the data as they are, without noise: explicit (Hyvärinen 2005) or sliced (Song et al. 2019), for
 * densities that are smooth. The network is told label 0.
 */
export const unperturbed = ({ loss, ...slicing }: UnperturbedOptions): Objective => ({
  differentiates: true,
  loss(network, x, source) {
    const score = requireScore("unperturbed", network);
    const matching = matchingOf(loss, slicing, source);
    return x.engine.scope(() => {
      const label = x.engine.zeros([x.dim(0)], "i32");
      return implicitLoss(matching((y) => score(y, label), x));
    });
  },
});
