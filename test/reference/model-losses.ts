import { grad } from "../../engine/autograd.ts";
import { add, concat, div, embedding, mean, mul, pow, reshape, square, sum } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { ModelContext } from "./model-context.ts";

/** Training losses with the recorded draws instead of random ones, by their official names. -> [] */
export const modelLosses: Readonly<Record<string, (c: ModelContext) => Tensor>> = {
  /** Denoising score matching over noise levels: mean over n of sigma^p / 2 |s(x + sigma z) + z / sigma|^2. */
  anneal_dsm_score_estimation(c) {
    const [x, labels] = [c.in("x"), labelsOf(c)];
    const sigma = sigmaOf(c, labels); // [n,1,1,1]
    const z = c.draw("randn_like");
    const error = add(c.score(add(x, mul(z, sigma)), labels), div(z, sigma));
    const weight = pow(reshape(sigma, [-1]), c.attrs.number("anneal_power", 2));
    return mul(mean(mul(perSample(square(error)), weight)), 0.5);
  },

  /** Sliced score matching with variance reduction: mean of sigma^2 (|s|^2 / 2 + v . d(s . v)/dx), v ~ N(0, I). */
  anneal_sliced_score_estimation_vr(c) {
    const [x, labels] = [c.in("x"), labelsOf(c)];
    const sigma = sigmaOf(c, labels);
    const noisy = add(x, mul(c.draw("randn_like"), sigma));
    const particles = c.attrs.number("n_particles", 1);
    const copies = c.engine.asVariable(concat(new Array<Tensor>(particles).fill(noisy), 0).alias()); // [particles n,...]
    const s = c.score(copies, concat(new Array<Tensor>(particles).fill(labels), 0));
    const v = c.draw("randn_like");
    const [ds] = grad(sum(mul(s, v)), [copies], { createGraph: true });
    const each = add(mul(perSample(square(s)), 0.5), perSample(mul(v, ds!)));
    c.engine.track(copies);
    const overParticles = mean(reshape(each, [particles, -1]), { axis: 0 });
    return mean(mul(overParticles, square(reshape(sigma, [-1]))));
  },
};

/** Labels are drawn by the loss in NCSNv2 and given to it in NCSN. */
const labelsOf = (c: ModelContext): Tensor =>
  c.attrs.string("source") === "ncsnv2" ? c.draw("randint") : c.in("labels");

/** sigma of each sample, [n,1,1,1]. */
function sigmaOf(c: ModelContext, labels: Tensor): Tensor {
  const sigmas = c.attrs.numbers("sigmas");
  return reshape(embedding(c.engine.tensor(sigmas, [sigmas.length, 1]), labels), [-1, 1, 1, 1]);
}

/** Sum over all but the first axis. */
const perSample = (t: Tensor): Tensor => sum(reshape(t, [t.dim(0), -1]), { axis: 1 });
