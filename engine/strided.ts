import { MAX_RANK } from "../kernels/binary.ts";
import { stridedCopy } from "../kernels/copy.ts";
import type { Engine } from "./engine.ts";
import { UsageError } from "./errors.ts";
import type { ScalarLike } from "./scalar.ts";
import { collapse, shapeSize } from "./shapes.ts";
import type { Shape, Tensor } from "./tensor.ts";

/** Walks `dims`, copying x[xStart + i . s] to y[yStart + i . t]. Throws UsageError past six axes that do not join. */
export function copyStrided(
  engine: Engine,
  x: Tensor,
  y: Tensor,
  dims: Shape,
  s: Shape,
  t: Shape,
  xStart: ScalarLike,
  yStart: ScalarLike,
): void {
  const walk = collapse(dims, [s, t]);
  const rank = walk.dims.length;
  if (rank > MAX_RANK)
    throw new UsageError(
      `copy: got ${rank} axes in different order, expected at most ${MAX_RANK}; reshape first`,
    );
  const params: Record<string, ScalarLike> = { count: shapeSize(dims), xStart, yStart };
  for (let k = 0; k < MAX_RANK; k++) {
    params[`d${k}`] = walk.dims[k] ?? 1;
    params[`s${k}`] = (walk.strides[0]![k] ?? 0) >>> 0;
    params[`t${k}`] = walk.strides[1]![k] ?? 0;
  }
  engine.launch(
    stridedCopy,
    { rank },
    { x, y },
    params as Record<keyof typeof stridedCopy.params, ScalarLike>,
  );
}
