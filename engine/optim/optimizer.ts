import { UsageError } from "../errors.ts";

export interface OptimizerOptions {
  lr: number;
  /** Added to the gradient, as in PyTorch's Adam and SGD (not decoupled). */
  weightDecay?: number;
  /** Steps over which the learning rate rises from 0, as score_sde: the first step's rate is 0. */
  warmup?: number;
  /** Keep a running average of the weights with this decay. */
  emaDecay?: number;
}

export interface OptimizerState {
  steps: number;
  emaUpdates: number;
}

/** The learning rate of step `step`, counted from 0. */
export const learningRate = ({ lr, warmup = 0 }: OptimizerOptions, step: number): number =>
  warmup > 0 ? lr * Math.min(step / warmup, 1) : lr;

/** Throws UsageError for options out of range. */
export function requireOptions(
  who: string,
  { lr, weightDecay = 0, warmup = 0, emaDecay }: OptimizerOptions,
): void {
  if (!(lr > 0)) throw new UsageError(`${who}: got lr ${lr}, expected a positive number`);
  if (!(weightDecay >= 0)) throw new UsageError(`${who}: got weightDecay ${weightDecay}, expected 0 or more`);
  if (!(warmup >= 0)) throw new UsageError(`${who}: got warmup ${warmup}, expected 0 or more steps`);
  if (emaDecay !== undefined && !(emaDecay >= 0 && emaDecay < 1))
    throw new UsageError(`${who}: got emaDecay ${emaDecay}, expected a number in [0, 1)`);
}
