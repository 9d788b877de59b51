import { grad } from "../../engine/autograd.ts";
import { add, concat, div, embedding, mean, mul, pow, reshape, square, sum } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { geometricSigmas } from "../../train/sigmas.ts";
import type { Attributes } from "./case.ts";
import type { ModelContext } from "./model-context.ts";
import { scoreSdeLosses } from "./score-sde.ts";

/** Training losses with the recorded draws instead of random ones, by their official names. -> [] */
export const modelLosses: Readonly<Record<string, (c: ModelContext) => Tensor>> = {
  ...scoreSdeLosses,

  /** Denoising score matching at one noise level: mean over n of 1/2 |s(x + sigma z) + z / sigma|^2. */
  dsm_score_estimation(c) {
    const sigma = c.attrs.number("sigma");
    const z = c.draw("randn_like");
    const error = add(c.score(add(c.in("x"), mul(z, sigma))), div(z, sigma));
    return mul(mean(perSample(square(error))), 0.5);
  },

  /** The same over noise levels, each weighed by sigma^p. */
  anneal_dsm_score_estimation(c) {
    const [x, labels] = [c.in("x"), labelsOf(c)];
    const sigma = sigmaOf(c, labels); // [n,1,1,1]
    const z = c.draw("randn_like");
    const error = add(c.score(add(x, mul(z, sigma)), labels), div(z, sigma));
    const weight = pow(reshape(sigma, [-1]), c.attrs.number("anneal_power", 2));
    return mul(mean(mul(perSample(square(error)), weight)), 0.5);
  },

  /** Sliced score matching with variance reduction: mean of |s|^2 / 2 + v . d(s . v)/dx, v ~ N(0, I). */
  sliced_score_estimation_vr: (c) => mean(slicedVr(c, c.in("x"))),

  /** The same over noise levels, each weighed by sigma^2. */
  anneal_sliced_score_estimation_vr(c) {
    const [x, labels] = [c.in("x"), labelsOf(c)];
    const sigma = sigmaOf(c, labels);
    const noisy = add(x, mul(c.draw("randn_like"), sigma));
    return mean(mul(slicedVr(c, noisy, labels), square(reshape(sigma, [-1]))));
  },
};

/** The mean over the particles v, for each sample: [n]. */
function slicedVr(c: ModelContext, x: Tensor, labels?: Tensor): Tensor {
  const particles = c.attrs.number("n_particles", 1);
  const repeated = (t: Tensor) => concat(new Array<Tensor>(particles).fill(t), 0);
  const copies = c.engine.asVariable(repeated(x).alias()); // [particles n,...]
  const s = c.score(copies, labels && repeated(labels));
  const v = c.draw("randn_like");
  const [ds] = grad(sum(mul(s, v)), [copies], { createGraph: true });
  const each = add(mul(perSample(square(s)), 0.5), perSample(mul(v, ds!)));
  c.engine.track(copies);
  return mean(reshape(each, [particles, -1]), { axis: 0 });
}

/** Labels are drawn by the loss in NCSNv2 and given to it in NCSN. */
const labelsOf = (c: ModelContext): Tensor =>
  c.attrs.string("source") === "ncsnv2" ? c.draw("randint") : c.in("labels");

/** sigma of each sample, [n,1,1,1]. */
function sigmaOf(c: ModelContext, labels: Tensor): Tensor {
  const sigmas = sigmasOf(c.attrs);
  return reshape(embedding(c.engine.tensor(sigmas, [sigmas.length, 1]), labels), [-1, 1, 1, 1]);
}

/** NCSN's cases list the ladder, NCSNv2's describe it. */
function sigmasOf(attrs: Attributes): readonly number[] {
  if (attrs.has("sigmas")) return attrs.numbers("sigmas");
  const [begin, end] = [attrs.number("sigma_begin"), attrs.number("sigma_end")];
  const count = attrs.number("num_classes");
  return attrs.string("sigma_dist") === "geometric"
    ? geometricSigmas({ begin, end, count })
    : Array.from({ length: count }, (_, i) => begin + ((end - begin) * i) / (count - 1));
}

/** Sum over all but the first axis. */
const perSample = (t: Tensor): Tensor => sum(reshape(t, [t.dim(0), -1]), { axis: 1 });
