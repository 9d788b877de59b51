import { type BinaryName, binary, binaryBroadcast, MAX_RANK } from "../../kernels/binary.ts";
import { vecsPerThread } from "../../kernels/lanewise.ts";
import { runVariant } from "../../kernels/runs.ts";
import type { Engine } from "../engine.ts";
import { invariant, UsageError } from "../errors.ts";
import { defineOp, type Saves } from "../op.ts";
import type { ScalarLike } from "../scalar.ts";
import { broadcastShapes, broadcastStrides, collapse, sameShape } from "../shapes.ts";
import { Tensor } from "../tensor.ts";
import { type ByNumberSpec, byNumber, mathematics } from "./by-number.ts";
import { sumTo } from "./reduce.ts";
import { requireFloat, requireScalar } from "./require.ts";

/** What an elementwise op takes: a tensor, or a number that is fixed or, a Scalar, read anew at each replay. */
export type Operand = Tensor | ScalarLike;

/** What an elementwise op of two operands needs beside its kernel. */
export interface BinarySpec {
  /** dL/dx and dL/dy from dz = dL/dz, in ops; summed back to the operands' shapes afterwards. */
  readonly rule: (c: {
    x: Tensor;
    y: Tensor;
    z: Tensor;
    dz: Tensor;
  }) => readonly [() => Tensor, () => Tensor] | undefined;
  readonly saves?: Saves;
  /** Where y is a host number. */
  readonly byNumber: ByNumberSpec;
}

function forward(engine: Engine, op: BinaryName, x: Tensor, y: Tensor): Tensor {
  const shape = broadcastShapes(op, x.shape, y.shape);
  const z = engine.empty(shape);
  if (sameShape(x.shape, y.shape)) {
    engine.launchLinear(binary, { op, vecs: vecsPerThread(engine.hardware) }, { x, y, z }, {}, z.size);
    return z;
  }
  const walk = collapse(shape, [broadcastStrides(x.shape, shape), broadcastStrides(y.shape, shape)]);
  const rank = walk.dims.length;
  if (rank > MAX_RANK)
    throw new UsageError(`${op}: got ${rank} alternating axes, expected at most ${MAX_RANK}; reshape first`);
  const params: Record<string, number> = { count: z.size };
  for (let k = 0; k < MAX_RANK; k++) {
    params[`d${k}`] = walk.dims[k] ?? 1;
    params[`a${k}`] = walk.strides[0]![k] ?? 0;
    params[`b${k}`] = walk.strides[1]![k] ?? 0;
  }
  const [sx, sy] = walk.strides.map((s) => s[rank - 1]!);
  invariant(sx! <= 1 && sy! <= 1, `${op}: operands are contiguous`);
  engine.launch(
    binaryBroadcast,
    { op, rank, ...runVariant(engine.hardware, walk.dims[rank - 1]!), sx: sx!, sy: sy! },
    { x, y, z },
    params as Record<keyof typeof binaryBroadcast.params, number>,
  );
  return z;
}

/** op(x, y) of two tensors with broadcasting. */
export function tensorOp(op: BinaryName, spec: BinarySpec) {
  return defineOp<object>({
    name: op,
    forward: (engine, [x, y]) => forward(engine, op, x!, y!),
    vjp: ({ inputs: [x, y], y: z, dy, wants, shapes }) => {
      const rule = spec.rule({ x: x!, y: y!, z: z!, dz: dy });
      return rule ? rule.map((d, i) => (wants[i] ? sumTo(d(), shapes[i]!) : undefined)) : [];
    },
    saves: spec.saves,
    oracle: ([x, y]) => mathematics(op, x!, y!),
  });
}

/** The public function over all kinds of operands; `swapped` computes op(y, x) as swapped(x, y). */
export function elementwise(
  op: BinaryName,
  spec: BinarySpec,
  swapped: BinaryName = op,
  swappedSpec: ByNumberSpec = spec.byNumber,
) {
  const both = tensorOp(op, spec);
  const right = byNumber(op, spec.byNumber);
  const left = byNumber(swapped, swappedSpec);
  return (x: Operand, y: Operand): Tensor => {
    if (x instanceof Tensor) {
      requireFloat(op, x);
      if (!(y instanceof Tensor)) {
        requireScalar(op, y);
        return right(x.engine, [x], { s: y });
      }
      requireFloat(op, y);
      return both(x.engine, [x, y], {});
    }
    if (!(y instanceof Tensor)) throw new UsageError(`${op}: got two numbers, expected a tensor among them`);
    requireFloat(op, y);
    requireScalar(op, x);
    return left(y.engine, [y], { s: x });
  };
}
