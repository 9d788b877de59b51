import { UsageError } from "../engine/errors.ts";
import { add, div, mul, perSample, square } from "../engine/ops/index.ts";
import type { DrawSource } from "../engine/random.ts";
import type { Tensor } from "../engine/tensor.ts";
import type { Module } from "./module.ts";

/**
 * What a network's output stands for, with x = alpha x0 + sigma eps, eps ~ N(0, I): the score of the noisy images
 * grad log p(x), the noise eps in them, or the clean images x0. Samplers take scores only; see `epsToScore`.
 */
export type Prediction = "score" | "eps" | "x0";

/** What comes out of a network: that, or the logits of an image's classes. */
export type Output = Prediction | "logits";

/** What a network is told while it is trained. */
export interface Training {
  /** Where the masks of dropout come from; nothing is dropped without. */
  readonly dropout?: DrawSource;
}

/** A network that predicts P: x [n,c,h,w] and the noise condition of each sample [n] -> x's shape, or [n,classes]. */
export interface Network<P extends Output = Prediction>
  extends Module<[x: Tensor, condition: Tensor, training?: Training], Tensor> {
  readonly predicts: P;
}

/** A network as a function. Samplers accept a `Predictor<"score">`, and anything else does not compile. */
export interface Predictor<P extends Output> {
  /** x [n,...] and the noise condition of each sample [n], a label or a time -> x's shape, or [n,classes]. */
  (x: Tensor, condition: Tensor): Tensor;
  readonly predicts: P;
}

/** The network, known to predict P. Throws UsageError when it predicts something else. */
export function thatPredicts<P extends Prediction>(network: Network, wanted: P): Network<P> {
  if (network.predicts !== wanted)
    throw new UsageError(
      `${network.constructor.name}: it predicts ${network.predicts}, expected ${wanted}; convert it, as by epsToScore`,
    );
  return network as Network<P>;
}

/** Coefficients of x = alpha x0 + sigma eps at each sample's noise condition [n] -> [n]. */
export type Coefficient = (condition: Tensor) => Tensor;

const predictor = <P extends Output>(
  predicts: P,
  f: (x: Tensor, condition: Tensor) => Tensor,
): Predictor<P> => Object.assign(f, { predicts });

/** The network as a function, in a scope of its own at each call; as it is while trained if `training` is given. */
export const asPredictor = <P extends Output>(network: Network<P>, training: Training = {}): Predictor<P> =>
  predictor(network.predicts, (x, condition) => network.run(x, condition, training));

/** score = -eps / sigma. Song et al. 2021, section 3.3. */
export const epsToScore = (eps: Predictor<"eps">, sigma: Coefficient): Predictor<"score"> =>
  predictor("score", (x, t) => div(eps(x, t), mul(perSample(sigma(t), x), -1)));

/** eps = -sigma score. */
export const scoreToEps = (score: Predictor<"score">, sigma: Coefficient): Predictor<"eps"> =>
  predictor("eps", (x, t) => mul(score(x, t), mul(perSample(sigma(t), x), -1)));

/** score = (alpha x0 - x) / sigma^2. */
export const x0ToScore = (x0: Predictor<"x0">, alpha: Coefficient, sigma: Coefficient): Predictor<"score"> =>
  predictor("score", (x, t) =>
    div(add(mul(perSample(alpha(t), x), x0(x, t)), mul(x, -1)), square(perSample(sigma(t), x))),
  );

/** x0 = (x + sigma^2 score) / alpha, the mean of the clean images given x. Tweedie's formula (Efron 2011). */
export const scoreToX0 = (
  score: Predictor<"score">,
  alpha: Coefficient,
  sigma: Coefficient,
): Predictor<"x0"> =>
  predictor("x0", (x, t) =>
    div(add(x, mul(square(perSample(sigma(t), x)), score(x, t))), perSample(alpha(t), x)),
  );
