import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { max, min } from "../../engine/ops/extrema.ts";
import * as oracle from "../../engine/oracle/reduce.ts";
import { checkOp, upload } from "../support/check-op.ts";
import { distinct } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";
import { check, seed } from "../support/property.ts";

const ops = { max, min };
const names = ["max", "min"] as const;
const reductions = fc
  .array(fc.record({ length: fc.integer({ min: 1, max: 5 }), joined: fc.boolean() }), {
    minLength: 1,
    maxLength: 4,
  })
  .map((axes) => ({ shape: axes.map((a) => a.length), axis: axes.flatMap((a, i) => (a.joined ? [i] : [])) }));

test.each(names)("%s over any axes: value, first and second derivative", (name) =>
  check(
    fc.record({ reduction: reductions, keepDims: fc.boolean(), seed }),
    async ({ reduction: { shape, axis }, keepDims, seed }) => {
      await checkOp({
        op: (x) => ops[name](x, { axis, keepDims }),
        oracle: (x) => oracle[name](x, axis, keepDims),
        inputs: [distinct(shape, seed)],
        seed,
      });
    },
    12,
  ),
);

test.each(names)("%s over long axes, and all of them", async (name) => {
  for (const shape of [[3000], [2, 1500], [1500, 2]]) {
    const x = distinct(shape, 1);
    for (const axis of [undefined, [shape.indexOf(Math.max(...shape))]]) {
      const y = ops[name](upload(x), { axis });
      expectNear(await y.data(), oracle[name](x, axis ?? null), { magnitude: "own" });
      y.dispose();
    }
  }
});

test.each(names)("%s of infinities and NaN", async (name) => {
  for (const length of [2, 5, 400]) {
    const rows = [
      Array(length).fill(Infinity),
      Array(length).fill(-Infinity),
      Array.from({ length }, (_, i) => (i === length - 1 ? Number.NaN : i)),
      Array.from({ length }, (_, i) => (i === 0 ? Number.NaN : i)),
      Array.from({ length }, (_, i) => (i === 1 ? (name === "max" ? Infinity : -Infinity) : i)),
    ];
    const y = ops[name](engine.tensor(rows.flat(), [5, length]), { axis: 1 });
    expect([...(await y.data())], `of ${length}`).toEqual([
      Infinity,
      -Infinity,
      NaN,
      NaN,
      name === "max" ? Infinity : -Infinity,
    ]);
    y.dispose();
  }
});

test.each(names)("ties of %s share the gradient", async (name) => {
  const x = engine.variable([2, 5, 2, 5, 2, 2, 5], [7]);
  const [dx] = engine.scope(() => grad(ops[name](x), [x]));
  expect([...(await dx!.data())].map((g) => Math.round(g * 12))).toEqual(
    name === "max" ? [0, 4, 0, 4, 0, 0, 4] : [3, 0, 3, 0, 3, 3, 0],
  );
  for (const t of [x, dx!]) t.dispose();
});

describe("messages", () => {
  test("axis and dtype", () => {
    expect(() => max(engine.ones([2]), { axis: 1 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: max: got axis 1 for shape [2], expected -1 to 0]`,
    );
    expect(() => min(engine.ones([2], "i32"))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: min: got dtype i32, expected f32]`,
    );
  });
});
