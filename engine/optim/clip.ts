import { clipFactor, clipFactorVariant, wantsSum } from "../../kernels/clip.ts";
import { range } from "../../kernels/kernel.ts";
import {
  type SquareSumsCount,
  squareSums,
  squareSumsCounts,
  squareSumsOf,
  squareSumsVariant,
} from "../../kernels/square-sums.ts";
import type { Engine } from "../engine.ts";
import { UsageError } from "../errors.ts";
import { sum } from "../ops/index.ts";
import { requireFloat } from "../ops/require.ts";
import type { Tensor } from "../tensor.ts";

/**
 * [factor, norm] on the device: the joint norm of all gradients and what to multiply them by, so that it is at most
 * maxNorm (absent: 1), a positive number. The factor is -1 when the norm is not finite: `apply` then leaves the weights as they are.
 * Throws UsageError for no gradients, for integers, and for a maxNorm that is not positive.
 */
export function clipGradients(grads: readonly Tensor[], maxNorm = 3.4e38): Tensor {
  const [first] = grads;
  if (!first) throw new UsageError("clipGradients: got no gradients, expected at least one");
  if (!(maxNorm > 0))
    throw new UsageError(`clipGradients: got maxNorm ${maxNorm}, expected a positive number`);
  for (const t of grads) requireFloat("clipGradients", t);
  const { engine } = first;
  return engine.noGrad(() =>
    engine.scope(() => {
      const factor = engine.empty([2]);
      const variant = clipFactorVariant(engine.hardware);
      const all = squaresOf(engine, grads);
      const squares = wantsSum(variant, all.size) ? sum(all) : all;
      engine.launch(clipFactor, variant, { squares, factor }, { count: squares.size, maxNorm });
      return factor;
    }),
  );
}

/** The sums of the squares of the tensors' parts. */
function squaresOf(engine: Engine, grads: readonly Tensor[]): Tensor {
  const variant = squareSumsVariant(engine.hardware, grads.length);
  const partsOf = (those: readonly Tensor[]): number =>
    those.reduce((parts, { size }) => parts + squareSumsOf(size, variant), 0);
  const sums = engine.track(engine.empty([partsOf(grads)]));
  const { tensors: most } = variant;
  let at = 0;
  for (let i = 0; i < grads.length; i += most) {
    const those = grads.slice(i, i + most);
    const tensors = range(most).map((k) => [`x${k}`, those[k] ?? those[0]!] as const);
    const counts = squareSumsCounts.map((name, k) => [name, those[k]?.size ?? 0] as const);
    engine.launch(
      squareSums,
      variant,
      { ...Object.fromEntries(tensors), sums },
      { at, ...(Object.fromEntries(counts) as Record<SquareSumsCount, number>) },
    );
    at += partsOf(those);
  }
  return sums;
}
