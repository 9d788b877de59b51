import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { embedding, embeddingGrad, oneHot } from "../../engine/ops/embedding.ts";
import * as oracle from "../../engine/oracle/embedding.ts";
import { checkOp, upload } from "../support/check-op.ts";
import { labels, normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { check, seed } from "../support/property.ts";

const int = (min: number, max: number) => fc.integer({ min, max });
const problems = fc.record({
  rows: int(1, 12),
  width: int(1, 9),
  shape: fc.array(int(1, 5), { minLength: 1, maxLength: 3 }),
  seed,
});

test("rows of a table, with repeated labels: value, first and second derivative", () =>
  check(
    problems,
    async ({ rows, width, shape, seed }) => {
      const at = labels(shape, rows, seed);
      const given = upload(at, "i32");
      await checkOp({
        op: (t) => embedding(t, given),
        oracle: (t) => oracle.embedding(t, at),
        inputs: [normal([rows, width], seed)],
        seed,
      });
      await checkOp({
        op: (dy) => embeddingGrad(dy, given, rows),
        oracle: (dy) => oracle.embeddingGrad(dy, at, rows),
        inputs: [normal([...shape, width], seed)],
        seed,
        terms: at.data.length,
        magnitude: at.data.length,
      });
      given.dispose();
    },
    12,
  ));

test("a label outside the table gives NaN, its neighbours are untouched", async () => {
  const table = engine.tensor([1, 2, 3, 4], [2, 2]);
  const y = embedding(table, engine.tensor(Int32Array.of(0, -1, 2, 1)));
  expect([...(await y.data())]).toEqual([1, 2, NaN, NaN, NaN, NaN, 3, 4]);
  y.dispose();
});

test("one-hot rows; those of labels that are no class are NaN", async () => {
  const y = oneHot(upload({ shape: [2, 2], data: Float64Array.of(2, 0, 3, 1) }, "i32"), 3);
  expect(y.shape).toEqual([2, 2, 3]);
  expect([...(await y.data())]).toEqual([0, 0, 1, 1, 0, 0, NaN, NaN, NaN, 0, 1, 0]);
  expect(() => oneHot(engine.ones([1], "i32"), 1.5)).toThrow("oneHot: got 1.5 classes, expected 1 to 4096");
});

describe("messages", () => {
  test("table and labels", () => {
    const at = engine.tensor(Int32Array.of(0));
    expect(() => embedding(engine.ones([3]), at)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: embedding: got table f32 [3], labels i32, expected f32 [rows,width] and i32]`,
    );
    expect(() => embedding(engine.ones([3, 2]), engine.ones([1]))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: embedding: got table f32 [3,2], labels f32, expected f32 [rows,width] and i32]`,
    );
    expect(() => embedding(engine.ones([3, 2], "i32"), at)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: embedding: got table i32 [3,2], labels i32, expected f32 [rows,width] and i32]`,
    );
  });
});
