import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import * as ops from "../../engine/ops/unary.ts";
import { array64 } from "../../engine/oracle/array.ts";
import { applyUnary, type UnaryName } from "../../engine/oracle/unary.ts";
import { checkOp, upload } from "../support/check-op.ts";
import { awayFromZero, type Draw, normal, rounded, uniform } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { expectNear, type Tolerance } from "../support/near.ts";
import { check, seed } from "../support/property.ts";

const names = Object.keys(ops) as UnaryName[];

const tiny = [
  1e-30,
  1e-10,
  1e-5,
  1e-3,
  0.01,
  0.1,
  0.3,
  0.39,
  0.41,
  0.624,
  0.626,
  0.9,
  0.999,
  0.9999999,
  1,
  1.0000001,
  1.001,
  Math.SQRT2,
  1.5,
  2,
  3,
  5,
];
const middle = [7, 10, 16.6, 20, 30, 50, 80, 87, 88, 88.5, 88.71, 88.722];
const huge = [100, 123.456, 1000, 1e4, 1e10, 3e38];
const both = (xs: readonly number[]) => [0, -0, ...xs, ...xs.map((x) => -x)];

/** Arguments with which each function is tried beside random ones. */
const edges: Record<UnaryName, readonly number[]> = {
  neg: both([...tiny, ...huge]),
  abs: both([...tiny, ...huge]),
  sign: both([...tiny, ...huge]),
  exp: both([...tiny, ...middle, 88.7228, 89, ...huge]),
  log: [0, ...tiny, ...middle, ...huge, 1.1754944e-38, 0.5, 0.7, Math.SQRT1_2, 0.7072],
  log1p: both(tiny.filter((x) => x < 1)).concat(tiny, middle, huge, -1),
  expm1: both([...tiny, ...middle, 88.7228, 89, ...huge]),
  sqrt: [0, ...tiny, ...middle, ...huge],
  rsqrt: [...tiny, ...middle, ...huge],
  square: both([...tiny.slice(1), ...middle, 1e4, 1e10]),
  reciprocal: both([...tiny, ...middle, 1e10]).slice(2),
  sin: both([
    ...tiny,
    ...middle,
    100,
    123.456,
    1000,
    5000,
    9999.5,
    1e4,
    Math.PI,
    Math.PI / 2,
    (1e4 * Math.PI) / 7,
  ]),
  cos: both([
    ...tiny,
    ...middle,
    100,
    123.456,
    1000,
    5000,
    9999.5,
    1e4,
    Math.PI,
    Math.PI / 2,
    (1e4 * Math.PI) / 7,
  ]),
  tanh: both([...tiny, ...middle, ...huge]),
  sigmoid: both([...tiny, ...middle, ...huge]),
  softplus: both([...tiny, ...middle, ...huge]),
  relu: both([...tiny, ...middle, ...huge]),
  leakyRelu: both([...tiny, ...middle, ...huge]),
  elu: both([...tiny, ...middle, ...huge]),
  silu: both([...tiny, ...middle, ...huge]),
  step: both([...tiny, ...huge]),
  floor: both([...tiny, ...middle, 1e4, 2.5, 3.5]),
};

/** Relative to each result, near zero too; only sin and cos at large arguments are relative to 1. */
const toleranceOf = (name: UnaryName, xs: ReturnType<typeof array64>): Tolerance =>
  name === "sin" || name === "cos"
    ? {
        magnitude: {
          shape: xs.shape,
          data: xs.data.map((x) => (name === "sin" ? Math.min(Math.abs(x), 1) : 1)),
        },
      }
    : { magnitude: "own", floor: name === "silu" ? 1e-36 : undefined }; // silu is x times what may be flushed

const call = (name: UnaryName, x: Parameters<typeof ops.neg>[0], a?: number) =>
  a === undefined ? ops[name](x) : (ops.elu as typeof ops.leakyRelu)(x, a);

describe("values", () => {
  test.each(names)("%s at its edges, to float32 relative to each result", async (name) => {
    const x = rounded(array64([edges[name].length], edges[name]));
    const y = call(name, upload(x));
    expectNear(await y.data(), applyUnary(name, x), toleranceOf(name, x));
    y.dispose();
  });

  test.each(names)("%s of random numbers of all sizes", async (name) => {
    const positive = ["log", "sqrt", "rsqrt"].includes(name);
    const power = uniform(-6, name === "exp" || name === "expm1" || name === "square" ? 1.9 : 3.9)([4001], 3);
    const sign = normal([4001], 4);
    const x = rounded({
      shape: [4001],
      data: power.data.map((p, i) => (positive || sign.data[i]! > 0 ? 1 : -1) * 10 ** p),
    });
    if (name === "log1p") x.data.set(x.data.map((v) => (v <= -1 ? -v : v)));
    const y = call(name, upload(x));
    expectNear(await y.data(), applyUnary(name, x), toleranceOf(name, x));
    y.dispose();
  });

  test.each(names)("%s of NaN, of either sign, is NaN", async (name) => {
    const bits = Uint32Array.of(0x7fc00000, 0xffc00000, 0x7f800001, 0xffffffff);
    const y = call(name, engine.tensor(new Float32Array(bits.buffer)));
    expect([...(await y.data())]).toEqual(Array(4).fill(name === "step" ? 0 : Number.NaN));
    y.dispose();
  });

  const infinite: [UnaryName, plus: number, minus: number][] = [
    ["neg", -Infinity, Infinity],
    ["abs", Infinity, Infinity],
    ["sign", 1, -1],
    ["exp", Infinity, 0],
    ["log", Infinity, NaN],
    ["log1p", Infinity, NaN],
    ["expm1", Infinity, -1],
    ["sqrt", Infinity, NaN],
    ["rsqrt", 0, NaN],
    ["square", Infinity, Infinity],
    ["reciprocal", 0, -0],
    ["sin", NaN, NaN],
    ["cos", NaN, NaN],
    ["tanh", 1, -1],
    ["sigmoid", 1, 0],
    ["softplus", Infinity, 0],
    ["relu", Infinity, 0],
    ["leakyRelu", Infinity, -Infinity],
    ["elu", Infinity, -1],
    ["silu", Infinity, NaN],
    ["step", 1, 0],
    ["floor", Infinity, -Infinity],
  ];
  test.each(infinite)("%s of infinity is %d, of minus infinity %d", async (name, plus, minus) => {
    const y = call(name, engine.tensor([Infinity, -Infinity]));
    const [a, b] = await y.data();
    expect([a, b! + 0]).toEqual([plus, minus + 0]);
    y.dispose();
  });
});

describe("derivatives", () => {
  const kinked = ["abs", "relu", "leakyRelu", "elu"];
  const domain = (name: UnaryName): Draw => {
    if (kinked.includes(name)) return awayFromZero(0.05);
    if (["log", "log1p", "sqrt", "rsqrt", "reciprocal"].includes(name)) return uniform(0.5, 3);
    return normal;
  };
  const flat = ["sign", "step", "floor"];

  test.each(names.filter((n) => !flat.includes(n)))("%s, first and second", (name) => {
    const shapes = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 4 });
    return check(
      fc.record({ shape: shapes, seed }),
      async ({ shape, seed }) => {
        const inputs = [domain(name)(shape, seed)];
        await checkOp({ op: (x) => call(name, x), oracle: (x) => applyUnary(name, x), inputs, seed });
      },
      6,
    );
  });

  test.each([
    ["leakyRelu", 0.2],
    ["leakyRelu", 0],
    ["elu", 0.3],
    ["elu", 2],
  ] as const)("%s with %d", (name, a) =>
    check(
      seed,
      (seed) =>
        checkOp({
          op: (x) => ops[name](x, a),
          oracle: (x) => applyUnary(name, x, { slope: a, alpha: a }),
          inputs: [awayFromZero(0.05)([3, 7], seed)],
          seed,
          derivatives: 2,
        }),
      3,
    ),
  );

  test.each(flat as UnaryName[])("%s has the derivative 0", async (name) => {
    const x = engine.variable([-1.5, 0.5, 2.5]);
    const [dx] = engine.scope(() => grad(call(name, x), [x], { cotangent: engine.ones([3]) }));
    expect([...(await dx!.data())]).toEqual([0, 0, 0]);
    dx!.dispose();
    x.dispose();
  });

  test("at a kink the derivative is that of the left branch", async () => {
    const slopes = { relu: 0, leakyRelu: 0.01, elu: 1, abs: 0 };
    for (const [name, slope] of Object.entries(slopes)) {
      const x = engine.variable([0]);
      for (const createGraph of [false, true]) {
        const [dx] = engine.scope(() => grad(call(name as UnaryName, x), [x], { createGraph }));
        expect(await dx!.item(), name).toBeCloseTo(slope, 7);
        dx!.dispose();
      }
      x.dispose();
    }
  });

  test("stay finite far out", async () => {
    for (const name of ["sigmoid", "tanh", "softplus", "silu", "elu"] as const) {
      const x = engine.variable([-1e4, -100, -88, 88, 100, 1e4]);
      for (const createGraph of [false, true]) {
        const [dx] = engine.scope(() =>
          grad(call(name, x), [x], { cotangent: engine.ones([6]), createGraph }),
        );
        for (const g of await dx!.data()) expect(Number.isFinite(g), `${name}: ${g}`).toBe(true);
        dx!.dispose();
      }
      x.dispose();
    }
  });
});
