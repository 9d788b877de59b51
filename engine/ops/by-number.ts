import { type BinaryName, binaryScalar } from "../../kernels/binary.ts";
import { vecsPerThread } from "../../kernels/lanewise.ts";
import { defineOp, type Saves } from "../op.ts";
import { type Array64, scalar } from "../oracle/array.ts";
import { applyBinary } from "../oracle/binary.ts";
import { numberOf, type ScalarLike } from "../scalar.ts";
import type { Tensor } from "../tensor.ts";

/** What an elementwise op of a tensor and a host number needs beside its kernel. */
export interface ByNumberSpec {
  /** dL/dx of op(x, s), from dz = dL/dz and of x and z what it saves. */
  readonly rule: (c: { x: Tensor; s: ScalarLike; z: Tensor; dz: Tensor }) => Tensor | undefined;
  readonly saves?: Saves;
}

/** A binary kernel in float64. */
export function mathematics(op: BinaryName, x: Array64, y: Array64): Array64 {
  if (op === "rsub") return applyBinary("sub", y, x);
  if (op === "lessEqual") return applyBinary("greaterEqual", y, x);
  return op === "rdiv" ? applyBinary("div", y, x) : applyBinary(op, x, y);
}

/** op(x, s) of a tensor and a host number. */
export function byNumber(op: BinaryName, spec: ByNumberSpec) {
  return defineOp<{ s: ScalarLike }>({
    name: `${op}_scalar`,
    forward: (engine, [x], { s }) => {
      const z = engine.empty(x!.shape);
      const variant = { op, vecs: vecsPerThread(engine.hardware) };
      engine.launchLinear(binaryScalar, variant, { x: x!, z }, { s }, x!.size);
      return z;
    },
    vjp: ({ inputs: [x], y: z, dy, attrs: { s } }) => [spec.rule({ x: x!, s, z: z!, dz: dy })],
    saves: spec.saves,
    oracle: ([x], { s }) => mathematics(op, x!, scalar(numberOf(s))),
  });
}
