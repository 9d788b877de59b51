import { UsageError } from "../engine/errors.ts";
import { allFinite } from "../engine/verify.ts";
import type { State } from "../models/index.ts";
import { type Checkpoint, samplingState } from "../train/checkpoint.ts";

/**
 * The weights that a checkpoint's network is used with: their running averages, or the newest ones if `raw`. Throws
 * UsageError where some are not finite, before a sampler is blamed for what comes of them. `path`: whence it was read.
 */
export function weightsOf(checkpoint: Checkpoint, path: string, raw = false): State {
  const values = raw ? checkpoint.network : samplingState(checkpoint);
  for (const [name, { data }] of values)
    if (data instanceof Float32Array && !allFinite(data))
      throw new UsageError(
        `checkpoint: ${path} holds numbers that are not finite in ${name}, it is damaged; copy it again or take an earlier one`,
      );
  return values;
}
