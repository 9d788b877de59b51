import { boundBytes, costOf } from "../../engine/dry.ts";
import type { Engine } from "../../engine/engine.ts";
import type { OpEvent, OpSpec } from "../../engine/op.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import { sizeOf } from "../inputs.ts";
import type { Work } from "../roofs.ts";

/** An op as a network applies it, at one set of shapes. Its bytes and operations are of one call. */
export interface AppliedOp extends Work {
  readonly spec: OpSpec<unknown>;
  readonly attrs: unknown;
  /** Of the inputs; undefined for one that is not given. */
  readonly shapes: readonly (Shape | undefined)[];
  readonly output: Shape;
  /** Times that the network applies it so. */
  readonly calls: number;
  /** Bytes of the largest tensor that a kernel of it has to bind as a whole. */
  readonly binding: number;
  /** Are all of its tensors of floating point numbers? */
  readonly float: boolean;
}

/**
 * The distinct ops of a forward pass, found by walking through it: nothing is computed. `open` builds the network, which
 * is not counted, and gives the pass. Bytes: each input read and the output written once, what the mathematics asks for;
 * operations: as the kernels count them. Ops that launch nothing are left out.
 */
export function walkOps(engine: Engine, open: () => () => unknown): AppliedOp[] {
  const found = new Map<string, AppliedOp>();
  let [flops, binding, launches] = [0, 0, 0];
  const shapeOf = (t: Tensor | undefined) => t?.shape;
  const observer = ({ spec, inputs, attrs, y }: OpEvent) => {
    const shapes = inputs.map(shapeOf);
    const given = inputs.filter((t) => t !== undefined);
    const bytes = [...given, y].reduce((sum, t) => sum + 4 * sizeOf(t.shape), 0);
    const key = JSON.stringify([spec.name, shapes, attrs]);
    const calls = 1 + (found.get(key)?.calls ?? 0);
    const float = [...given, y].every((t) => t.dtype === "f32");
    if (launches > 0)
      found.set(key, { spec, attrs, shapes, output: y.shape, calls, bytes, flops, binding, float });
    [flops, binding, launches] = [0, 0, 0];
  };
  try {
    engine.dry(
      () => {
        const forward = open();
        engine.observer = observer;
        engine.noGrad(() => void forward());
      },
      (launch) => {
        if (!engine.observer) return;
        flops += costOf(launch).flops;
        binding = Math.max(binding, boundBytes(launch));
        launches++;
      },
    );
  } finally {
    engine.observer = undefined;
  }
  return [...found.values()];
}
