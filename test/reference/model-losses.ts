import { mean, narrow, reshape } from "../../engine/ops/index.ts";
import { Tensor } from "../../engine/tensor.ts";
import type { Predictor } from "../../models/prediction.ts";
import { annealedDsm } from "../../train/losses/annealed-dsm.ts";
import { annealedImplicit } from "../../train/losses/annealed-implicit.ts";
import { dsmAt } from "../../train/losses/dsm.ts";
import { type ImplicitTerms, implicitLoss } from "../../train/losses/implicit.ts";
import { onSphere } from "../../train/losses/projections.ts";
import { slicedTerms } from "../../train/losses/sliced.ts";
import { geometricSigmas } from "../../train/sigmas.ts";
import type { Attributes } from "./case.ts";
import type { ModelContext } from "./model-context.ts";
import { scoreSdeLosses } from "./score-sde.ts";

/** A loss, or its two terms where the published code returns those too. */
export type ModelLoss = (c: ModelContext) => Tensor | ImplicitTerms;

/** Training losses with the recorded draws instead of random ones, by their official names. */
export const modelLosses: Readonly<Record<string, ModelLoss>> = {
  ...scoreSdeLosses,

  dsm_score_estimation: (c) =>
    dsmAt((x) => c.score(x), c.in("x"), { sigma: c.attrs.number("sigma"), draw: c.draw("randn_like") }),

  anneal_dsm_score_estimation(c) {
    const labels = labelsOf(c);
    const annealPower = c.attrs.number("anneal_power", 2);
    return annealedDsm(scoreOf(c), c.in("x"), labels, { ...ladder(c), annealPower });
  },

  /** The published vectors have unit length. */
  sliced_score_estimation: (c) =>
    slicedTerms((x) => c.score(x), c.in("x"), {
      vectors: vectors(c).map((v) => onSphere(v, 1)),
      varianceReduction: false,
    }),

  sliced_score_estimation_vr: (c) => slicedTerms((x) => c.score(x), c.in("x"), { vectors: vectors(c) }),

  anneal_sliced_score_estimation_vr(c) {
    const labels = labelsOf(c);
    const noise = ladder(c);
    const v = vectors(c);
    return annealedImplicit(scoreOf(c), c.in("x"), labels, {
      ...noise,
      matching: (score, x) => slicedTerms(score, x, { vectors: v }),
    });
  },
};

/** What the file calls a loss's results. */
export const lossResults = (loss: Tensor | ImplicitTerms): Record<string, Tensor> =>
  loss instanceof Tensor
    ? { "out.loss": loss }
    : {
        "out.loss": implicitLoss(loss),
        "out.loss1": mean(loss.norm),
        "out.loss2": mean(loss.divergence),
      };

const scoreOf = (c: ModelContext): Predictor<"score"> =>
  Object.assign((x: Tensor, labels: Tensor) => c.score(x, labels), { predicts: "score" } as const);

/** The drawn vectors [particles n,...], of which the particle is the slow index, as one tensor for each. */
function vectors(c: ModelContext): Tensor[] {
  const all = c.draw("randn_like");
  const particles = c.attrs.number("n_particles", 1);
  const n = all.dim(0) / particles;
  return Array.from({ length: particles }, (_, i) => narrow(all, 0, i * n, n));
}

/** Labels are drawn by the loss in NCSNv2 and given to it in NCSN. */
const labelsOf = (c: ModelContext): Tensor =>
  c.attrs.string("source") === "ncsnv2" ? c.draw("randint") : c.in("labels");

/** The table of sigmas and the drawn noise. */
const ladder = (c: ModelContext) => ({ sigmas: sigmasOf(c), draw: c.draw("randn_like") });

/** sigma by label, [count,1]: given with the case, listed (NCSN), or described (NCSNv2). */
export function sigmasOf(c: Pick<ModelContext, "attrs" | "engine" | "optional">): Tensor {
  const given = c.optional("sigmas");
  if (given) return reshape(given, [-1, 1]);
  const sigmas = c.attrs.has("sigmas") ? c.attrs.numbers("sigmas") : describedSigmas(c.attrs);
  return c.engine.tensor(sigmas, [sigmas.length, 1]);
}

export function describedSigmas(attrs: Attributes): readonly number[] {
  const [begin, end] = [attrs.number("sigma_begin"), attrs.number("sigma_end")];
  const count = attrs.number("num_classes");
  return attrs.string("sigma_dist") === "geometric"
    ? geometricSigmas({ begin, end, count })
    : Array.from({ length: count }, (_, i) => begin + ((end - begin) * i) / (count - 1));
}
