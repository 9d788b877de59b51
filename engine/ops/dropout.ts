import { dropout as kernel } from "../../kernels/dropout.ts";
import { blockVariant } from "../../kernels/random.ts";
import { UsageError } from "../errors.ts";
import { defineOp } from "../op.ts";
import * as oracle from "../oracle/dropout.ts";
import { type Draw, drawNumbers } from "../random.ts";
import { numberOf } from "../scalar.ts";
import type { Tensor } from "../tensor.ts";
import { requireFloat } from "./require.ts";

interface Attrs {
  readonly rate: number;
  readonly draw: Draw;
}

// Linear in x, and its own adjoint: the derivative draws the same mask once more.
const op = defineOp<Attrs>({
  name: "dropout",
  forward: (engine, [x], { rate, draw }) => {
    const y = engine.empty(x!.shape);
    const numbers = drawNumbers(x!.shape, draw);
    const variant = blockVariant(engine.hardware, numbers.sampleSize);
    engine.launch(kernel, variant, { x: x!, y }, { ...numbers, rate, gain: 1 / (1 - rate) });
    return y;
  },
  vjp: ({ dy, attrs: { rate, draw } }) => [dropout(dy, rate, draw)],
  oracle: ([x], { rate, draw }) => {
    const { seedLow, seedHigh, step, purpose, offset } = drawNumbers(x!.shape, draw);
    const seed = [seedLow, seedHigh] as const;
    return oracle.dropout(x!, { rate, seed, step: numberOf(step), purpose, sampleOffset: numberOf(offset) });
  },
});

/**
 * Each element 0 with probability `rate` and otherwise divided by 1 - rate, so that the mean stays. x [n,...]. The mask
 * is a function of the draw and an element's place in its sample. A derivative draws it again, so a Scalar step must
 * not move between the two passes. Srivastava et al. 2014. Throws UsageError for a rate outside [0, 1).
 */
export function dropout(x: Tensor, rate: number, draw: Draw): Tensor {
  requireFloat("dropout", x);
  requireRate("dropout", rate);
  return rate === 0 ? x : op(x.engine, [x], { rate, draw });
}

/** Throws UsageError for a dropout rate outside [0, 1). */
export function requireRate(who: string, rate: number): void {
  if (!(rate >= 0 && rate < 1))
    throw new UsageError(`${who}: got dropout rate ${rate}, expected a number from 0 to below 1`);
}
