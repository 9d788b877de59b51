import { add, mul, perSample, square } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { ScoreFunction } from "../score.ts";
import type { Linear, Sde } from "./sde.ts";

export interface ReverseOptions {
  /** The ODE that has the marginals of the SDE, which takes half of the score and no noise. */
  probabilityFlow?: boolean;
}

/** What runs back in time: drift = keep x + pull score, diffusion = noise. */
export interface Reverse {
  readonly keep: number;
  readonly pull: number;
  readonly noise: number;
}

/**
 * The reverse of a linear SDE at one time, drift f x - g^2 score and diffusion g, or of its step: the same formulas hold
 * for the f and g of a discretisation. Anderson 1982; Song et al. 2021, equations 6, 13 and 46.
 */
export const reverse = (
  { drift, diffusion }: Linear<number>,
  { probabilityFlow = false }: ReverseOptions = {},
): Reverse =>
  probabilityFlow
    ? { keep: drift, pull: -0.5 * diffusion ** 2, noise: 0 }
    : { keep: drift, pull: -(diffusion ** 2), noise: diffusion };

/**
 * The reverse SDE as a function: x [n,...] and times t [n], one for each sample -> drift of x's shape, diffusion [n].
 * Time runs down from T. The score is told sde.condition(t).
 */
export const reverseSde =
  (sde: Sde, score: ScoreFunction, { probabilityFlow = false }: ReverseOptions = {}) =>
  (x: Tensor, t: Tensor): Linear<Tensor> => {
    const { drift, diffusion } = sde.coefficients(t);
    const pull = mul(square(diffusion), probabilityFlow ? -0.5 : -1);
    return {
      drift: add(mul(perSample(drift, x), x), mul(perSample(pull, x), score(x, sde.condition(t)))),
      diffusion: probabilityFlow ? t.engine.zeros(t.shape) : diffusion,
    };
  };
