import type { Tensor } from "../../engine/tensor.ts";
import { requireEps } from "../require.ts";

/** p(x_t | x_0) = N(alpha x_0, std^2 I). */
export interface Marginal<T> {
  readonly alpha: T;
  readonly std: T;
}

/**
 * dx = drift x dt + diffusion dw, or a step of a Markov chain, x + drift x + diffusion z. All SDEs here are linear, with
 * coefficients that depend on the time only.
 */
export interface Linear<T> {
  readonly drift: T;
  readonly diffusion: T;
}

/**
 * A diffusion that turns data at time 0 into noise at time T, ascending. Song et al. 2021. Whatever needs more than
 * this, such as the table of a discretisation, asks for the SDE that has it.
 */
export interface Sde {
  readonly name: string;
  /** Where time ends. */
  readonly T: number;
  /** N: steps of the discretisation. */
  readonly steps: number;
  /** Where samplers stop short of time 0, at which scores explode: 1e-5 or 1e-3, as published. */
  readonly samplingEps: number;
  /** The prior, where time ends, is N(0, priorStd^2 I). */
  readonly priorStd: number;
  /** At the times t [n], one for each sample: [n] each. Accurate to float32 down to t = 1e-5. */
  marginal(t: Tensor): Marginal<Tensor>;
  /** At one time, in float64. */
  marginalAt(t: number): Marginal<number>;
  /** At the times t [n]: [n] each. */
  coefficients(t: Tensor): Linear<Tensor>;
  coefficientsAt(t: number): Linear<number>;
  /** The step of the discretisation that begins at time t, T / N long. */
  discretize(t: number): Linear<number>;
  /**
   * The noise that ancestral sampling adds when it undoes the step of `discretize`, for SDEs whose discretisation is a
   * Markov chain of its own: that of SMLD or of DDPM.
   */
  readonly ancestralNoise?: (t: number) => number;
  /** What networks trained in continuous time are told at the times t [n]: sigma(t) or 999 t. -> [n] */
  condition(t: Tensor): Tensor;
  conditionAt(t: number): number;
}

/** The step of the chain to which a time belongs: a whole number from 0 to N - 1. */
export const stepIndex = ({ T, steps }: Pick<Sde, "T" | "steps">, t: number): number =>
  Math.trunc((t * (steps - 1)) / T);

/** The times at which samplers stop over, descending: N from T to `eps`. Throws UsageError unless 0 < eps < T. */
export function timeGrid({ name, T, steps }: Sde, eps: number): number[] {
  requireEps(name, eps, T);
  return linspace(T, eps, steps);
}

/** The step of Euler and Maruyama's method, T / N long. */
export function eulerStep({ T, steps, coefficientsAt }: Sde, t: number): Linear<number> {
  const { drift, diffusion } = coefficientsAt(t);
  const dt = T / steps;
  return { drift: drift * dt, diffusion: diffusion * Math.sqrt(dt) };
}

/**
 * What a chain's steps have of noise, in equal steps, both ends among them. Of one step the last alone, for it begins at T:
 * the published tables have the first there, with which it would leave all the noise of the prior in x.
 */
export const ascending = (from: number, to: number, steps: number): number[] =>
  steps === 1 ? [to] : linspace(from, to, steps);

/** `count` numbers in equal steps, both ends among them; the first alone when there is one. */
export const linspace = (from: number, to: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => from + (to - from) * (count === 1 ? 0 : i / (count - 1)));
