import { grad } from "../../engine/autograd.ts";
import type { Engine } from "../../engine/engine.ts";
import { sum } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";

/** Tensors by their shapes, and what is done to them. */
export type Use = readonly [
  shapes: readonly (readonly number[])[],
  op: (...xs: [Tensor, Tensor, Tensor]) => Tensor,
];

/** What a walk goes through: an op, and its gradients where there are such. Returns the op's value. */
export function forwardAndBack(engine: Engine, [shapes, op]: Use): Tensor {
  const xs = shapes.map((shape) => engine.track(engine.asVariable(engine.empty(shape)))) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const y = op(...xs);
  if (y.requiresGrad) grad(sum(y), xs);
  return y;
}
