import { UsageError } from "../../engine/errors.ts";
import type { Tensor } from "../../engine/tensor.ts";

/** p(x_t | x_0) = N(alpha x_0, std^2 I). */
export interface Marginal<T> {
  readonly alpha: T;
  readonly std: T;
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
  /** At the times t [n], one for each sample: [n] each. Accurate to float32 down to t = 1e-5. */
  marginal(t: Tensor): Marginal<Tensor>;
  /** At one time, in float64. */
  marginalAt(t: number): Marginal<number>;
  /** What networks trained in continuous time are told at the times t [n]: sigma(t) or 999 t. -> [n] */
  condition(t: Tensor): Tensor;
}

/** Throws UsageError unless there is a whole number of steps. */
export function requireSteps(who: string, steps: number): void {
  if (!Number.isInteger(steps) || steps < 1)
    throw new UsageError(`${who}: got steps ${steps}, expected a whole number from 1`);
}

/** `count` numbers in equal steps, both ends among them; the first alone when there is one. */
export const linspace = (from: number, to: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => from + (to - from) * (count === 1 ? 0 : i / (count - 1)));
