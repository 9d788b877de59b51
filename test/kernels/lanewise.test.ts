import { describe, expect, test } from "vitest";
import { type Array64, map, scalar, zip } from "../../engine/oracle/array.ts";
import {
  applyBinary,
  where as mathematicsOfWhere,
  type BinaryName as OracleName,
} from "../../engine/oracle/binary.ts";
import { applyUnary, type UnaryName as OracleUnary } from "../../engine/oracle/unary.ts";
import {
  type BinaryName,
  binary,
  binaryBroadcast,
  binaryExpressions,
  binaryScalar,
} from "../../kernels/binary.ts";
import { vecCounts } from "../../kernels/lanewise.ts";
import { runLengths } from "../../kernels/runs.ts";
import {
  type ActivationName,
  activationGrad,
  activationGradients,
  type UnaryName,
  unary,
  unaryExpressions,
} from "../../kernels/unary.ts";
import { where, whereNumber } from "../../kernels/where.ts";
import { applyUnaryGrad, type UnaryGradName } from "../oracle/gradients.ts";
import { normal, uniform } from "../support/draw.ts";
import { launched } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

const COUNT = 4109; // no multiple of a vec4, of four, or of a workgroup

const mathematics = (op: UnaryName, x: Array64, a: number) =>
  op === "copy" ? x : applyUnary(op as OracleUnary, x, { alpha: a, slope: a });
const ofTwo = (op: BinaryName, x: Array64, y: Array64): Array64 => {
  if (op === "rsub") return applyBinary("sub", y, x);
  if (op === "rdiv") return applyBinary("div", y, x);
  return op === "lessEqual" ? applyBinary("greaterEqual", y, x) : applyBinary(op as OracleName, x, y);
};

/** A condition: 0 at half of the places, other numbers at the rest. */
const halfUnset = map(normal([COUNT], 1), (v) => Math.max(v, 0));

describe.each(vecCounts)("%d vec4s a thread", (vecs) => {
  test.each(Object.keys(unaryExpressions) as UnaryName[])("unary %s", async (op) => {
    const x = uniform(0.1, 3)([COUNT], 1);
    const { y } = await launched(unary, { op, vecs }, { x }, { y: [COUNT] }, { count: COUNT, a: 0.3 });
    expectNear(y!, mathematics(op, x, 0.3));
  });

  test.each(Object.keys(activationGradients) as ActivationName[])("gradient of %s", async (op) => {
    const [x, dy] = [normal([COUNT], 1), normal([COUNT], 2)];
    const { dx } = await launched(
      activationGrad,
      { op, vecs },
      { x, dy },
      { dx: [COUNT] },
      { count: COUNT, a: 0.3 },
    );
    const slope = applyUnaryGrad(op as UnaryGradName, x, { alpha: 0.3, slope: 0.3 });
    expectNear(
      dx!,
      zip(slope, dy, (a, b) => a * b),
    );
  });

  test.each(Object.keys(binaryExpressions) as BinaryName[])(
    "binary %s, of arrays and with a number",
    async (op) => {
      const [x, y] = [uniform(0.5, 2)([COUNT], 1), uniform(0.5, 2)([COUNT], 2)];
      const both = await launched(binary, { op, vecs }, { x, y }, { z: [COUNT] }, { count: COUNT });
      expectNear(both["z"]!, ofTwo(op, x, y));
      const one = await launched(
        binaryScalar,
        { op, vecs },
        { x },
        { z: [COUNT] },
        { count: COUNT, s: 1.25 },
      );
      expectNear(
        one["z"]!,
        ofTwo(
          op,
          x,
          map(x, () => 1.25),
        ),
      );
    },
  );
});

test.each(where.variants)("where, $vecs vec4s a thread", async (variant) => {
  const [c, x, y] = [halfUnset, normal([COUNT], 2), normal([COUNT], 3)];
  const { z } = await launched(where, variant, { c, x, y }, { z: [COUNT] }, { count: COUNT });
  expectNear(z!, mathematicsOfWhere(c, x, y));
});

test.each(whereNumber.variants)(
  "where with a number, x where it is $x, $vecs vec4s a thread",
  async (variant) => {
    const [c, x, s] = [halfUnset, normal([COUNT], 2), scalar(1.25)];
    const { z } = await launched(whereNumber, variant, { c, x }, { z: [COUNT] }, { count: COUNT, s: 1.25 });
    expectNear(z!, variant.x === "set" ? mathematicsOfWhere(c, x, s) : mathematicsOfWhere(c, s, x));
  },
);

/** Strides of the last axes of a broadcast: whole vec4s and single elements, x, y or neither stretched. */
test.each(
  runLengths.flatMap((run) => [
    { run, vec: true, dims: [3, 8], x: [8, 1], y: [0, 1] },
    { run, vec: true, dims: [3, 264], x: [1, 0], y: [264, 1] },
    { run, vec: false, dims: [5, 7], x: [7, 1], y: [1, 0] },
    { run, vec: false, dims: [5, 69], x: [0, 1], y: [69, 1] },
  ]),
)("broadcast $dims, strides $x and $y, vec $vec, runs of $run", async ({ run, vec, dims, x: sx, y: sy }) => {
  const count = dims[0]! * dims[1]!;
  const [x, y] = [normal([count], 1), normal([count], 2)];
  const axis = (name: string, values: readonly number[]) =>
    Object.fromEntries([0, 1, 2, 3, 4, 5].map((k) => [name + k, values[k] ?? (name === "d" ? 1 : 0)]));
  const params = { count, ...axis("d", dims), ...axis("a", sx), ...axis("b", sy) } as Record<
    keyof typeof binaryBroadcast.params,
    number
  >;
  const { z } = await launched(
    binaryBroadcast,
    { op: "sub" as const, rank: 2, run, vec, sx: sx[1]!, sy: sy[1]! },
    { x, y },
    { z: dims },
    params,
  );
  const expected = Array.from({ length: count }, (_, i) => {
    const [r, c] = [Math.floor(i / dims[1]!), i % dims[1]!];
    return x.data[r * sx[0]! + c * sx[1]!]! - y.data[r * sy[0]! + c * sy[1]!]!;
  });
  expectNear(z!, { shape: dims, data: Float64Array.from(expected) });
  expect(z!.length).toBe(count);
});
