import { UsageError } from "../errors.ts";
import { sameShape, showShape } from "../shapes.ts";
import type { Tensor } from "../tensor.ts";
import { reshape } from "./reduce.ts";
import { concat } from "./shape.ts";

/**
 * Tensors of one shape along a new axis, which stands at place `axis` of the result: n times [a,b] -> [n,a,b] unless told.
 * Throws UsageError for no tensors, shapes that differ, and an axis that the result has not.
 */
export function stack(parts: readonly Tensor[], axis = 0): Tensor {
  const [first] = parts;
  if (!first) throw new UsageError("stack: got no tensors, expected at least one");
  const other = parts.find((t) => !sameShape(t.shape, first.shape));
  if (other)
    throw new UsageError(
      `stack: got tensors ${showShape(first.shape)} and ${showShape(other.shape)}, expected one shape`,
    );
  const rank = first.rank + 1;
  const at = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(at) || at < 0 || at >= rank)
    throw new UsageError(
      `stack: got axis ${axis} for tensors of rank ${rank - 1}, expected ${-rank} to ${rank - 1}`,
    );
  return concat(
    parts.map((t) => reshape(t, [...t.shape.slice(0, at), 1, ...t.shape.slice(at)])),
    at,
  );
}
