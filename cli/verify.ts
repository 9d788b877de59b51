import { UsageError } from "../engine/errors.ts";
import { verify } from "../engine/verify.ts";
import type { Run } from "./run.ts";

/** One training step's forward and backward pass beside the oracle. Throws UsageError naming the first op that departs. */
export async function verifyStep({ trainer }: Run): Promise<void> {
  const { ops, worst, departed } = await verify(trainer.engine, () => trainer.passes());
  if (departed) {
    const { path, op, shapes, index, error } = departed;
    throw new UsageError(
      `verify: op ${index}, ${op} ${shapes} in ${path || "the loss"}, departs from float64 by ${error.toExponential(1)}`,
    );
  }
  console.log(
    `verify: ${ops} ops agree with float64, worst ${worst?.op} by ${worst?.error.toExponential(1)} of its largest value`,
  );
}
