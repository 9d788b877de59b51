import { UsageError } from "../engine/errors.ts";
import { verify } from "../engine/verify.ts";
import { type Checkpoint, restore } from "../train/checkpoint.ts";
import type { AnyConfig } from "./config.ts";
import { progressOf } from "./progress.ts";
import type { Run } from "./run.ts";

/** Images that a step is verified with: float64 loops take long, and each image takes as long as the first. */
const VERIFIED = 2;

/** A configuration whose step is that of a few images alone. */
function ofFew<C extends AnyConfig>(config: C): C {
  const { batchSize, accumulate } = config.training;
  const few = { batchSize: Math.min(VERIFIED, batchSize / accumulate), accumulate: 1, evaluateEvery: 0 };
  return { ...config, training: { ...config.training, ...few } };
}

/**
 * The next training step's forward and backward pass, of the first images of its batch, beside the oracle. `open` makes a
 * run of a configuration, which is closed again. Throws UsageError naming the first op that departs.
 */
export async function verifyStep<C extends AnyConfig>(
  open: (config: C) => Run,
  config: C,
  checkpoint?: Checkpoint,
): Promise<void> {
  const few = ofFew(config);
  const { network, trainer } = open(few);
  try {
    if (checkpoint) restore(checkpoint, network, trainer);
    const { ops, worst, departed } = await verify(trainer.engine, () => trainer.passes(), {
      onProgress: progressOf("verifying"),
    });
    if (departed) {
      const { path, op, shapes, index, error } = departed;
      throw new UsageError(
        `verify: op ${index}, ${op} ${shapes} in ${path || "the loss"}, departs from float64 by ${error.toExponential(1)}`,
      );
    }
    const { batchSize } = few.training;
    console.log(
      `verify: ${ops} ops of a step with ${batchSize} image${batchSize > 1 ? "s" : ""} agree with float64, ` +
        `worst ${worst?.op} by ${worst?.error.toExponential(1)} of its largest value`,
    );
  } finally {
    trainer.dispose();
    network.dispose();
  }
}
