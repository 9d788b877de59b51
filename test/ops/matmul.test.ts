import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { matmul } from "../../engine/ops/matmul.ts";
import { type Array64, map } from "../../engine/oracle/array.ts";
import * as oracle from "../../engine/oracle/matmul.ts";
import { checkOp } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { check, seed } from "../support/property.ts";

interface Problem {
  a: readonly number[];
  b: readonly number[];
  k: number;
  transposeA: boolean;
  transposeB: boolean;
  seed: number;
}

const int = (min: number, max: number) => fc.integer({ min, max });

/** Leading axes that broadcast: each side has the length or 1, or lacks the first ones. */
const leading = fc
  .array(fc.record({ length: int(1, 3), a: fc.boolean(), b: fc.boolean() }), { maxLength: 3 })
  .chain((axes) =>
    fc.record({ dropA: int(0, axes.length), dropB: int(0, axes.length) }).map(({ dropA, dropB }) => ({
      a: axes.map((x) => (x.a ? x.length : 1)).slice(dropA),
      b: axes.map((x) => (x.b ? x.length : 1)).slice(dropB),
    })),
  );

const problems: fc.Arbitrary<Problem> = fc
  .record({
    lead: leading,
    m: int(1, 40),
    n: int(1, 40),
    k: int(1, 40),
    transposeA: fc.boolean(),
    transposeB: fc.boolean(),
    seed,
  })
  .map(({ lead, m, n, k, transposeA, transposeB, seed }) => ({
    a: [...lead.a, ...(transposeA ? [k, m] : [m, k])],
    b: [...lead.b, ...(transposeB ? [n, k] : [k, n])],
    k,
    transposeA,
    transposeB,
    seed,
  }));

async function checkMatmul({ a, b, k, transposeA, transposeB, seed }: Problem): Promise<void> {
  const options = { transposeA, transposeB };
  const inputs = [normal(a, seed), normal(b, seed + 1)];
  const magnitude = oracle.matmul(map(inputs[0]!, Math.abs), map(inputs[1]!, Math.abs), options);
  const mathematics = (x: Array64, y: Array64) => oracle.matmul(x, y, options);
  await checkOp({
    op: (x, y) => matmul(x, y, options),
    oracle: mathematics,
    inputs,
    seed,
    terms: k,
    magnitude,
  });
}

test("products of broadcast batches, either side transposed: value, first and second derivative", () =>
  check(problems, checkMatmul, 30));

const plain = { transposeA: false, transposeB: false, seed: 3 };
test.each([
  { what: "inner length 1", a: [5, 1], b: [1, 7], k: 1 },
  { what: "a row times a column", a: [1, 65], b: [65, 1], k: 65 },
  { what: "tiles exactly full", a: [8, 16], b: [16, 64], k: 16 },
  { what: "one more than full tiles", a: [9, 17], b: [17, 65], k: 17 },
  { what: "more columns than a workgroup takes", a: [3, 4], b: [4, 130], k: 4 },
  { what: "one matrix for a batch, left", a: [6, 5], b: [4, 5, 3], k: 5 },
  { what: "one matrix for a batch, right", a: [4, 6, 5], b: [5, 3], k: 5 },
])("$what", ({ a, b, k }) => checkMatmul({ a, b, k, ...plain }));

test("a square, by itself and by its own transpose", async () => {
  const inputs = [normal([7, 7], 2)];
  await checkOp({ op: (x) => matmul(x, x), oracle: (x) => oracle.matmul(x, x), inputs, seed: 2, terms: 7 });
  await checkOp({
    op: (x) => matmul(x, x, { transposeB: true }),
    oracle: (x) => oracle.matmul(x, x, { transposeB: true }),
    inputs,
    seed: 3,
    terms: 7,
  });
});

describe("messages", () => {
  test("a dtype other than f32", () => {
    expect(() => matmul(engine.ones([2, 2], "i32"), engine.ones([2, 2]))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: matmul: got dtype i32, expected f32]`,
    );
    expect(() => matmul(engine.ones([2, 2]), engine.ones([2, 2], "i32"))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: matmul: got dtype i32, expected f32]`,
    );
  });
  test("a vector", () => {
    expect(() => matmul(engine.ones([3]), engine.ones([3, 2]))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: matmul: got [3] and [3,2], expected rank 2 or more; reshape first]`,
    );
  });
  test("inner lengths", () => {
    expect(() => matmul(engine.ones([2, 3]), engine.ones([4, 5]))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: matmul: got [2,3] and [4,5], inner lengths 3 and 4 differ]`,
    );
    expect(() =>
      matmul(engine.ones([3, 2]), engine.ones([3, 5]), { transposeA: true, transposeB: true }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: matmul: got [3,2] transposed and [3,5] transposed, inner lengths 3 and 5 differ]`,
    );
  });
  test("batches", () => {
    expect(() => matmul(engine.ones([2, 3, 4]), engine.ones([5, 4, 3]))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: matmul: got shapes [2] and [5], axis -1 differs (2 and 5); expected equal lengths or 1]`,
    );
  });
});
