import type { Engine } from "../engine/engine.ts";
import type { Optimizer } from "../engine/optim/optimizer.ts";
import { bytesOf, type Tensor } from "../engine/tensor.ts";

/** Bytes of a training step. */
export interface StepMemory {
  readonly weights: number;
  readonly gradients: number;
  readonly optimizer: number;
  readonly ema: number;
  /** What the forward pass keeps for the backward one. */
  readonly saved: number;
  /** The most in use at once, all of the above that is alive then and what kernels need in between. */
  readonly peak: number;
}

/** The sum that no training step of these parts could do without. */
export const neededBytes = ({ weights, gradients, optimizer, ema, saved }: StepMemory): number =>
  weights + gradients + optimizer + ema + saved;

/**
 * Runs `loss` and what `gradients` makes of it once, outside of any capture, and counts. Nothing is updated. `sums`
 * are what the gradients of a batch's parts are summed in. The peak is that of the pool, whose size classes waste up
 * to an eighth.
 */
export function stepMemory(
  engine: Engine,
  optimizer: Optimizer,
  loss: () => Tensor,
  gradients: (loss: Tensor) => unknown,
  sums: readonly Tensor[] = [],
): StepMemory {
  engine.trim();
  const before = engine.memory().live;
  engine.resetPeak();
  let saved = 0;
  engine.scope(() => {
    const value = loss();
    saved = engine.memory().live - before;
    gradients(value);
  });
  const weights = sizeOf(optimizer.params.values());
  const ema = sizeOf(optimizer.ema?.shadow.values() ?? []);
  const held = sizeOf(optimizer.tensors().values());
  const summed = sizeOf(sums);
  const parts = { weights, gradients: weights + summed, optimizer: held - ema, ema, saved };
  return { ...parts, peak: engine.memory().peak - before + weights + held + summed };
}

function sizeOf(tensors: Iterable<Tensor>): number {
  let bytes = 0;
  for (const t of tensors) bytes += t.size * bytesOf(t.dtype);
  return bytes;
}
