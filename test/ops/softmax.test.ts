import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { crossEntropy, logSoftmax, logsumexp, softmax } from "../../engine/ops/softmax.ts";
import { type Array64, array64 } from "../../engine/oracle/array.ts";
import * as reduce from "../../engine/oracle/reduce.ts";
import * as oracle from "../../engine/oracle/softmax.ts";
import { checkOp, upload } from "../support/check-op.ts";
import { labels, normal, rounded } from "../support/draw.ts";
import { choosingFor, engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";
import { check, seed } from "../support/property.ts";

const ops = { softmax, logSoftmax, logsumexp };
const oracles: Record<keyof typeof ops, (x: Array64) => Array64> = {
  softmax: oracle.softmax,
  logSoftmax: oracle.logSoftmax,
  logsumexp: (x) => reduce.logsumexp(x, [-1]),
};
const names = Object.keys(ops) as (keyof typeof ops)[];
const int = (min: number, max: number) => fc.integer({ min, max });

test.each(names)("%s over the last axis: value, first and second derivative", (name) => {
  const shapes = fc.oneof(
    fc.array(int(1, 6), { minLength: 1, maxLength: 4 }),
    fc.tuple(int(1, 40), int(1, 90)),
    fc.tuple(int(60, 140)),
  );
  return check(
    fc.record({ shape: shapes, seed }),
    async ({ shape, seed }) => {
      await checkOp({
        op: ops[name],
        oracle: oracles[name],
        inputs: [normal(shape, seed)],
        seed,
        terms: shape.at(-1),
      });
    },
    15,
  );
});

test.each(names)(
  "%s of large numbers does not overflow, of distant ones does not lose the small",
  async (name) => {
    const x = array64(
      [5, 3],
      [1e4, 1e4 - 1, -1e4, 3e38, -3e38, 0, -200, -201, -202, 80, 0, -20, 0, 0, 0].map(Math.fround),
    );
    const y = ops[name](upload(x));
    expectNear(await y.data(), oracles[name](x), { magnitude: "own", floor: 1e-6 });
    y.dispose();
  },
);

test.each(names)("%s: NaN anywhere in a row is NaN in all of that row, and in no other", async (name) => {
  for (const columns of [3, 200]) {
    const x = normal([2, columns], 1);
    x.data[columns - 2] = Number.NaN;
    const y = ops[name](upload(x));
    const got = await y.data();
    const half = got.length / 2;
    for (const [i, v] of got.entries())
      expect(Number.isNaN(v), `${columns} columns, element ${i}`).toBe(i < half);
    y.dispose();
  }
});

test.each(["cpu", "gpu"] as const)("logsumexp of infinities is that of the limit, for a %s", (kind) =>
  choosingFor({ kind }, async () => {
    for (const columns of [3, 8, 300]) {
      const rest = Array<number>(columns - 2).fill(-Infinity);
      const rows = [
        [-Infinity, -Infinity],
        [Infinity, 0],
        [Infinity, Number.NaN],
        [0, 0],
      ].flatMap((row) => [...row, ...rest]);
      const y = logsumexp(engine.tensor(Float32Array.from(rows), [4, columns]));
      const expected = array64([4], [-Infinity, Infinity, Number.NaN, Math.LN2]);
      expectNear(await y.data(), expected, {}, `${columns} columns`);
      y.dispose();
    }
  }),
);

test("rows of softmax sum to 1", async () => {
  const y = softmax(upload(normal([7, 1000], 1)));
  const got = await y.data();
  for (let row = 0; row < 7; row++) {
    const total = [...got.slice(row * 1000, (row + 1) * 1000)].reduce((a, b) => a + b);
    expect(total).toBeCloseTo(1, 6);
  }
  y.dispose();
});

test("crossEntropy of logits and labels", () =>
  check(
    fc.record({ n: int(1, 9), c: int(1, 12), seed }),
    async ({ n, c, seed }) => {
      const classes = labels([n], c, seed);
      const given = upload(classes, "i32");
      await checkOp({
        op: (logits) => crossEntropy(logits, given),
        oracle: (logits) => oracle.crossEntropy(logits, classes),
        inputs: [normal([n, c], seed)],
        seed,
        terms: n * c,
        magnitude: 10,
      });
      given.dispose();
    },
    8,
  ));

test("crossEntropy of confident logits", async () => {
  const logits = rounded(array64([2, 3], [100, 0, -100, 3, 90, -5]));
  const classes = array64([2], [2, 1]);
  const y = crossEntropy(upload(logits), upload(classes, "i32"));
  expectNear(await y.data(), oracle.crossEntropy(logits, classes));
  y.dispose();
});

test.each([3, -1])("crossEntropy of a label that is no class, %d, is NaN", async (label) => {
  const y = crossEntropy(upload(array64([1, 3], [1, 2, 3])), upload(array64([1], [label]), "i32"));
  expect(await y.item()).toBeNaN();
});

test("crossEntropy does not mind classes that are ruled out", async () => {
  const logits = engine.asVariable(upload(array64([2, 3], [1, -Infinity, 2, -Infinity, 0.5, -1])));
  const classes = upload(array64([2], [2, 1]), "i32");
  const y = crossEntropy(logits, classes);
  const [slope] = grad(y, [logits]);
  const p = (a: number, b: number) => 1 / (1 + Math.exp(b - a));
  const [first, second] = [p(2, 1), p(0.5, -1)];
  expect(await y.item()).toBeCloseTo((-Math.log(first) - Math.log(second)) / 2, 6);
  expectNear(await slope!.data(), {
    shape: [2, 3],
    data: Float64Array.of(1 - first, 0, first - 1, 0, second - 1, 1 - second).map((v) => v / 2),
  });
});

describe("messages", () => {
  test("a scalar has no last axis", () => {
    expect(() => softmax(engine.ones([]))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: softmax: got a scalar, expected at least one axis]`,
    );
    expect(() => logSoftmax(engine.ones([]))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: logSoftmax: got a scalar, expected at least one axis]`,
    );
    expect(() => logsumexp(engine.ones([]))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: logsumexp: got a scalar, expected at least one axis]`,
    );
  });
  test("a dtype other than f32", () => {
    expect(() => softmax(engine.ones([2], "i32"))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: softmax: got dtype i32, expected f32]`,
    );
  });
  test("labels", () => {
    expect(() => crossEntropy(engine.ones([2, 3]), engine.ones([2]))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: crossEntropy: got logits [2,3], labels f32 [2], expected [n,c] and i32 [n]]`,
    );
    expect(() =>
      crossEntropy(engine.ones([2, 3]), engine.ones([3], "i32")),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: crossEntropy: got logits [2,3], labels i32 [3], expected [n,c] and i32 [n]]`,
    );
    expect(() =>
      crossEntropy(engine.ones([2, 3, 1]), engine.ones([2], "i32")),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: crossEntropy: got logits [2,3,1], labels i32 [2], expected [n,c] and i32 [n]]`,
    );
  });
});
