import { expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { add, cast, mul, sum } from "../../engine/ops/index.ts";
import { choosingFor, engine } from "../support/engine.ts";

const whole = [0, 1, -1, 999, -7, 2 ** 24 - 1, 2 ** 31 - 1, -(2 ** 31)];
const fractions = [0, 0.5, -0.5, 1.9999, -1.9999, 998.999, 8388607.5, -2147483648, 1e-40];

test("whole numbers to the nearest float32", async () => {
  const y = cast(engine.tensor(Int32Array.from(whole), [2, 4]), "f32");
  expect([y.dtype, y.shape]).toEqual(["f32", [2, 4]]);
  expect([...(await y.data())]).toEqual(whole.map(Math.fround));
});

test("floats towards 0", async () => {
  const y = cast(engine.tensor(fractions), "i32");
  expect(y.dtype).toBe("i32");
  expect([...(await y.data())]).toEqual(fractions.map((x) => Math.trunc(Math.fround(x)) + 0));
});

test.each(["cpu", "gpu"] as const)("on a %s, counts that fill no workgroup, and none past the end", (kind) =>
  choosingFor({ kind }, async () => {
    for (const count of [1, 63, 65, 1029]) {
      const values = Float32Array.from({ length: count }, (_, i) => i + 0.75);
      const y = engine.scope(() => cast(cast(engine.tensor(values), "i32"), "f32"));
      expect([...(await y.data())]).toEqual([...values].map(Math.trunc));
      y.dispose();
    }
  }),
);

test("to the dtype it has: the same tensor, with its graph", () => {
  const x = engine.variable([1, 2]);
  expect(cast(x, "f32")).toBe(x);
  x.dispose();
});

test("the derivative counts as 0", async () => {
  const x = engine.variable([1.5, -2.5]);
  const [dx] = engine.scope(() => grad(sum(add(mul(x, 3), cast(cast(x, "i32"), "f32"))), [x]));
  expect([...(await dx!.data())]).toEqual([3, 3]);
  for (const t of [x, dx!]) t.dispose();
});

test("the declared oracle", async () => {
  const x = engine.tensor([-3.7, 12.2, 5]);
  const { ops, worst } = await engine.verify(() => cast(cast(x, "i32"), "f32"));
  expect(ops).toBe(2);
  expect(worst!.error).toBe(0);
  x.dispose();
});

test("u32 is refused", () => {
  expect(() => cast(engine.ones([2]), "u32" as "i32")).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: cast: got dtype u32 to cast to, expected f32, f16 or i32]`,
  );
  expect(() => cast(engine.ones([2], "u32"), "f32")).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: cast: got dtype u32, expected f32 or i32]`,
  );
});
