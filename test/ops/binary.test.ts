import { describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import * as ops from "../../engine/ops/binary.ts";
import type { Operand } from "../../engine/ops/elementwise.ts";
import { type Array64, array64, scalar } from "../../engine/oracle/array.ts";
import { applyBinary } from "../../engine/oracle/binary.ts";
import { Scalar } from "../../engine/scalar.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { checkOp, upload } from "../support/check-op.ts";
import { awayFromZero, type Draw, normal, uniform } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";
import { check, seed } from "../support/property.ts";

const smooth = ["add", "sub", "mul", "div"] as const;
const extreme = ["maximum", "minimum"] as const;
const comparing = ["greater", "greaterEqual", "less", "lessEqual", "equal"] as const;
type Name = keyof typeof ops;
const names: readonly Name[] = [...smooth, ...extreme, ...comparing];

const mathematics = (name: Name, x: Array64, y: Array64): Array64 =>
  name === "lessEqual" ? applyBinary("greaterEqual", y, x) : applyBinary(name, x, y);

const numbers = [0, -0, 1, -1, 1.5, 1e-30, -3e20, 7, NaN, Infinity, -Infinity];
const left = array64([121], numbers.flatMap((a) => numbers.map(() => a)).map(Math.fround));
const right = array64([121], numbers.flatMap(() => numbers).map(Math.fround));

test.each(names)("%s of every pair of special numbers", async (name) => {
  const z = ops[name](upload(left), upload(right));
  expectNear(await z.data(), mathematics(name, left, right), { magnitude: "own" });
  z.dispose();
});

test.each(names)("%s with a number or a Scalar on either side", async (name) => {
  const x = normal([3, 5], 1);
  const t = upload(x);
  for (const s of [0.75, -2, x.data[4]!]) {
    const results: [Tensor, Array64][] = [
      [ops[name](t, s), mathematics(name, x, scalar(s))],
      [ops[name](s, t), mathematics(name, scalar(s), x)],
      [ops[name](t, new Scalar(s)), mathematics(name, x, scalar(s))],
      [ops[name](new Scalar(s), t), mathematics(name, scalar(s), x)],
    ];
    for (const [z, expected] of results) {
      expectNear(await z.data(), expected, { magnitude: "own" }, `${name} with ${s}`);
      z.dispose();
    }
  }
  t.dispose();
});

describe("derivatives", () => {
  const draws: Record<(typeof smooth)[number], readonly [Draw, Draw]> = {
    add: [normal, normal],
    sub: [normal, normal],
    mul: [normal, normal],
    div: [normal, uniform(0.5, 2)],
  };

  test.each(smooth)("%s, first and second", (name) =>
    check(
      seed,
      async (seed) => {
        const inputs = [draws[name][0]([4, 7], seed), draws[name][1]([4, 7], seed + 100)];
        await checkOp({ op: ops[name], oracle: (x, y) => applyBinary(name, x, y), inputs, seed });
      },
      5,
    ),
  );

  test.each(smooth)("%s with a number on either side", (name) =>
    check(
      seed,
      async (seed) => {
        const sides: [op: (x: Tensor) => Tensor, oracle: (x: Array64) => Array64][] = [
          [(x) => ops[name](x, 1.7), (x) => applyBinary(name, x, scalar(1.7))],
          [(x) => ops[name](1.7, x), (x) => applyBinary(name, scalar(1.7), x)],
          [(x) => ops[name](x, new Scalar(-0.6)), (x) => applyBinary(name, x, scalar(-0.6))],
          [(x) => ops[name](new Scalar(-0.6), x), (x) => applyBinary(name, scalar(-0.6), x)],
        ];
        for (const [op, oracle] of sides)
          await checkOp({ op, oracle, inputs: [uniform(0.5, 2)([9], seed)], seed });
      },
      4,
    ),
  );

  test.each(extreme)("%s, away from ties", (name) =>
    check(
      seed,
      async (seed) => {
        const x = normal([5, 5], seed);
        const gap = awayFromZero(0.05)([5, 5], seed + 1);
        const y = { shape: x.shape, data: x.data.map((v, i) => Math.fround(v + gap.data[i]!)) };
        await checkOp({ op: ops[name], oracle: (a, b) => applyBinary(name, a, b), inputs: [x, y], seed });
        const [s, z] = [0.25, awayFromZero(0.05)([11], seed)];
        const shifted = { shape: z.shape, data: z.data.map((v) => Math.fround(v + s)) };
        await checkOp({
          op: (a) => ops[name](a, s),
          oracle: (a) => applyBinary(name, a, scalar(s)),
          inputs: [shifted],
          seed,
          derivatives: 2,
        });
      },
      4,
    ),
  );

  test.each(extreme)("%s shares the gradient at ties", async (name) => {
    const x = engine.variable([1, 2]);
    const y = engine.variable([1, 2]);
    const grads = engine.scope(() => [
      ...grad(ops[name](x, y), [x, y], { cotangent: engine.tensor([3, -1]) }),
      ...grad(ops[name](x, 1), [x], { cotangent: engine.tensor([3, 0]) }),
    ]);
    const [dx, dy, ds] = await engine.readAll(grads);
    expect([...dx!]).toEqual([1.5, -0.5]);
    expect([...dy!]).toEqual([1.5, -0.5]);
    expect(ds![0]).toBe(1.5);
    for (const t of [x, y, ...grads]) t.dispose();
  });

  test.each(comparing)("%s has the derivative 0", async (name) => {
    const x = engine.variable([1, 2]);
    const grads = engine.scope(() => [
      ...grad(ops[name](x, engine.tensor([0.5, 3])), [x], { cotangent: engine.ones([2]) }),
      ...grad(ops[name](x, 1), [x], { cotangent: engine.ones([2]) }),
    ]);
    for (const g of await engine.readAll(grads)) expect([...g]).toEqual([0, 0]);
    for (const t of [x, ...grads]) t.dispose();
  });
});

describe("messages", () => {
  test("two numbers", () => {
    expect(() => ops.add(1, 2)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: add: got two numbers, expected a tensor among them]`,
    );
  });

  test("what is no number and no tensor, on either side", () => {
    const x = engine.ones([2]);
    for (const [y, shown] of [
      [undefined, "undefined"],
      [null, "null"],
      ["3", '"3"'],
      [[1, 2], "[1,2]"],
    ] as const)
      for (const [a, b] of [
        [x, y],
        [y, x],
      ])
        expect(() => ops.mul(a as Operand, b as Operand)).toThrow(
          `mul: got ${shown}, expected a number or a Scalar`,
        );
    x.dispose();
  });

  test("a dtype other than f32, on either side", () => {
    const x = engine.ones([2]);
    const i = engine.ones([2], "i32");
    for (const [a, b] of [
      [i, x],
      [x, i],
      [i, 1],
      [1, i],
    ] as [Operand, Operand][])
      expect(() => ops.mul(a, b)).toThrowErrorMatchingInlineSnapshot(
        `[UsageError: mul: got dtype i32, expected f32]`,
      );
  });

  test("shapes that do not broadcast", () => {
    expect(() => ops.sub(engine.ones([2, 3]), engine.ones([2, 4]))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: sub: got shapes [2,3] and [2,4], axis -1 differs (3 and 4); expected equal lengths or 1]`,
    );
  });
});
