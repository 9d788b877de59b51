/** Gradients that are added by the kernel that makes the second one: the same numbers, without a launch for the sum. */
import { describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { defineOp } from "../../engine/op.ts";
import {
  add,
  avgPool2d,
  cast,
  concat,
  conv2d,
  groupNorm,
  instanceNorm,
  instanceNormPlus,
  mul,
  reshape,
  resizeNearest,
  sin,
  square,
  sum,
} from "../../engine/ops/index.ts";
import { type Array64, array64 } from "../../engine/oracle/array.ts";
import { conv2d as convOracle } from "../../engine/oracle/conv2d.ts";
import { norm } from "../../engine/oracle/norm.ts";
import * as pools from "../../engine/oracle/pool.ts";
import * as resizes from "../../engine/oracle/resize.ts";
import { applyUnary } from "../../engine/oracle/unary.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { checkOp, upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { choosingFor, engine } from "../support/engine.ts";

type Op<T> = (...xs: T[]) => T;

/** y of x and, side by side with it, sin x: so that x has a gradient before y's op gives it another. */
const besides = (op: Op<Tensor>, mathematics: Op<Array64>) => ({
  op: (...xs: Tensor[]) => {
    const y = op(...xs);
    return concat([reshape(y, [-1]), reshape(sin(xs[0]!), [-1])], 0);
  },
  oracle: (...xs: Array64[]) => {
    const all = [mathematics(...xs), applyUnary("sin", xs[0]!)].flatMap(({ data }) => [...data]);
    return array64([all.length], all);
  },
});

/** Sums that a backward pass to x launches. */
function sumsOf(op: Op<Tensor>, inputs: readonly Array64[]): number {
  let sums = 0;
  engine.scope(() => {
    const xs = inputs.map((x) => engine.asVariable(upload(x)));
    const y = op(...xs);
    const cotangent = engine.ones(y.shape);
    engine.dry(
      () => grad(y, [xs[0]!], { cotangent }),
      ({ program: { kernel, variant } }) => {
        if (kernel.name === "binary" && variant["op"] === "add") sums++;
      },
    );
    for (const x of xs) engine.track(x);
  });
  return sums;
}

/** Holds an op to its oracle beside another use of x, and counts the sums of gradients. */
async function check(
  [op, mathematics]: readonly [Op<Tensor>, Op<Array64>],
  inputs: readonly Array64[],
  sums: number,
): Promise<void> {
  const both = besides(op, mathematics);
  expect(sumsOf(both.op, inputs), "sums launched").toBe(sums);
  await checkOp({ ...both, inputs, seed: 3, terms: 100, magnitude: 30 });
}

const attrs = { eps: 1e-2, activation: "silu" } as const;
const inputs = [normal([2, 4, 4, 4], 1), normal([4], 2), normal([4], 3)];
const instances: Parameters<typeof check>[0] = [
  (x, gamma, beta) => instanceNorm(x!, { gamma, beta, ...attrs }),
  (x, gamma, beta) => norm(x!, { ...attrs, groups: 4, plus: false }, gamma!, beta!, null),
];
const pairs: Parameters<typeof check>[0] = [
  (x, gamma, beta) => groupNorm(x!, 2, { gamma, beta, ...attrs }),
  (x, gamma, beta) => norm(x!, { ...attrs, groups: 2, plus: false }, gamma!, beta!, null),
];

describe("norms", () => {
  test("as an adapter takes them", () => check(instances, inputs, 0));

  test("in sweeps", () => choosingFor({ subgroups: false }, () => check(pairs, inputs, 0)));

  test("with an alpha apart, which leave no array for it", () =>
    check(
      [
        (x, gamma, alpha) => instanceNormPlus(x!, { gamma, alpha, ...attrs }),
        (x, gamma, alpha) => norm(x!, { ...attrs, groups: 4, plus: true }, gamma!, null, alpha!),
      ],
      inputs,
      1,
    ));

  test("with parameters in rows", () => {
    const part = (rows: Array64, at: number) =>
      array64(
        [2, 4],
        [0, 1].flatMap((n) => [...rows.data.subarray(12 * n + at, 12 * n + at + 4)]),
      );
    return check(
      [
        (x, values) =>
          instanceNormPlus(x!, { rows: { values: values!, order: ["beta", "alpha", "gamma"] }, ...attrs }),
        (x, v) => norm(x!, { ...attrs, groups: 4, plus: true }, part(v!, 8), part(v!, 0), part(v!, 4)),
      ],
      [inputs[0]!, normal([2, 12], 5)],
      0,
    );
  });

  const shared = { lanes: 2, each: 2, maps: 2, groups: 8 };
  test.each([
    ["a workgroup for each group", { kernel: "whole", by: "group", threads: 64, each: 1 }, {}, false],
    ["lanes for each map", { kernel: "lanes", ...shared }, { kept: 2 }, true],
    ["two sweeps", { kernel: "split", lanes: 4, each: 1, rows: 4, vec: true }, {}, true],
  ] as const)("by %s", async (_, way, forward, subgroups) => {
    if (subgroups && !engine.hardware.subgroups) return;
    const back = way.kernel === "lanes" ? { ...way, keep: "both" } : way;
    await engine.choices.forcing("norm", { ...way, ...forward }, () =>
      engine.choices.forcing("norm_grad", back, () => check(pairs, inputs, 0)),
    );
  });

  test("of parameters by label", () => {
    const labels = upload(array64([2], [0, 0]), "i32");
    const order = ["gamma"] as const;
    return check(
      [
        (x, values) => instanceNormPlus(x!, { rows: { values: values!, order, labels }, ...attrs }),
        (x, { data } = array64([0])) =>
          norm(x!, { ...attrs, groups: 4, plus: true }, array64([4], data), null, null),
      ],
      [inputs[0]!, normal([1, 4], 2)],
      0,
    ).finally(() => labels.dispose());
  });
});

test.runIf(engine.device.features.has("shader-f16"))(
  "stored as f16, values and what x had before depart by their rounding",
  async () => {
    const [x, cotangent] = [normal([2, 3, 4, 4], 1), normal([2, 3, 4, 4], 2)];
    const both = async (half: boolean) => {
      const grads = engine.scope(() => {
        const given = engine.asVariable(upload(x));
        const y = engine.autocast(() => {
          const h = mul(given, 2);
          return add(
            conv2d(instanceNorm(h, attrs), upload(normal([3, 3, 3, 3], 3)), undefined, { padding: 1 }),
            h,
          );
        }, half);
        const all = grad(y, [given], {
          cotangent: half ? cast(upload(cotangent), "f16") : upload(cotangent),
        });
        engine.track(given);
        return all;
      });
      const values = [...(await grads[0]!.data())];
      expect(grads[0]!.dtype).toBe("f32");
      grads[0]!.dispose();
      return values;
    };
    const [exact, halved] = [await both(false), await both(true)];
    const largest = Math.max(...exact.map(Math.abs));
    for (const [i, v] of exact.entries()) expect(Math.abs(v - halved[i]!)).toBeLessThan(1e-2 * largest);
  },
);

describe("convolutions", () => {
  const problem = (stride: 1 | 2) => ({
    stride: [stride, stride] as const,
    padding: [1, 1, 1, 1] as const,
    dilation: [1, 1] as const,
  });
  test.each([
    [1, 0],
    [2, 1],
  ] as const)("with a stride of %d", (stride, sums) =>
    check(
      [
        (x, w) => conv2d(x!, w!, undefined, problem(stride)),
        (x, w) => convOracle(x!, w!, null, problem(stride)),
      ],
      [normal([2, 3, 6, 5], 1), normal([4, 3, 3, 3], 2)],
      sums,
    ),
  );

  test("of x to which x is added", () =>
    check(
      [
        (x, w) => conv2d(x!, w!, undefined, { padding: 1, residual: x }),
        (x, w) => {
          const y = convOracle(x!, w!, null, problem(1));
          return { shape: y.shape, data: y.data.map((v, i) => v + x!.data[i]!) };
        },
      ],
      [normal([2, 3, 4, 5], 1), normal([3, 3, 3, 3], 2)],
      1, // of the kernel's and x's own
    ));
});

describe("blocks", () => {
  const x = normal([2, 3, 4, 8], 1);

  test("of a pool", () =>
    check(
      [
        (x) => avgPool2d(x!, { kernel: 2 }),
        (x) =>
          pools.avgPool2d(x!, {
            kernel: [2, 2],
            stride: [2, 2],
            padding: [0, 0, 0, 0],
            countIncludePad: true,
          }),
      ],
      [x],
      0,
    ));

  test("of the nearest pixel", () =>
    check([(x) => resizeNearest(x!, [8, 16]), (x) => resizes.resizeNearest(x!, { size: [8, 16] })], [x], 0));

  test("where there are none", () =>
    check([(x) => resizeNearest(x!, [7, 9]), (x) => resizes.resizeNearest(x!, { size: [7, 9] })], [x], 1));
});

describe("a rule of one's own", () => {
  /** a b, whose fused rule takes what both had before. */
  const product = defineOp<object>({
    name: "product",
    forward: (_, [a, b]) => engine.noGrad(() => mul(a!, b!)),
    vjp: ({ inputs: [a, b], dy }) => [mul(dy, b!), mul(dy, a!)],
    fusedVjp: ({ inputs: [a, b], dy, take }) =>
      [b, a].map((other, i) => {
        const before = take(i);
        const own = mul(dy, other!);
        return before ? add(before, own) : own;
      }),
    saves: { inputs: [0, 1] },
    oracle: ([a, b]) => ({ shape: a!.shape, data: a!.data.map((v, i) => v * b!.data[i]!) }),
  });
  const applied: Op<Tensor> = (a, b = a) => product(engine, [a, b], {});
  const oracle: Op<Array64> = (a, b = a!) => ({
    shape: a!.shape,
    data: a!.data.map((v, i) => v * b.data[i]!),
  });

  test.each([1, 2])("over %d tensors", (tensors) =>
    checkOp({
      ...besides(applied, oracle),
      inputs: [normal([3, 5], 1), normal([3, 5], 2)].slice(0, tensors),
      seed: 3,
    }),
  );

  test("a gradient that is asked for on the way is the sum", async () => {
    const x = engine.variable([2]);
    const before = engine.memory().live;
    const grads = engine.scope(() => {
      const h = mul(x, 3);
      return grad(sum(add(product(engine, [h, h], {}), square(h))), [h, x]);
    });
    expect((await engine.readAll(grads)).map(([v]) => v)).toEqual([24, 72]);
    for (const t of grads) t.dispose();
    expect(engine.memory().live).toBe(before);
    x.dispose();
  });
});
