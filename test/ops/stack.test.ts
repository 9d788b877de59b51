import { expect, test } from "vitest";
import { stack } from "../../engine/ops/index.ts";
import { concat, reshape } from "../../engine/oracle/shape.ts";
import { checkOp } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";

test.each([
  [0, [1, 2, 3]],
  [1, [2, 1, 3]],
  [-1, [2, 3, 1]],
])("along axis %d: value, first and second derivative", async (axis, each) => {
  await checkOp({
    op: (...xs) => stack(xs, axis),
    oracle: (...xs) =>
      concat(
        xs.map((x) => reshape(x, each)),
        axis < 0 ? 2 : axis,
      ),
    inputs: [1, 2, 3].map((seed) => normal([2, 3], seed)),
    seed: 3,
  });
});

test("refuses no tensors, other shapes and axes that there are not", () => {
  const x = engine.ones([2, 3]);
  expect(() => stack([])).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: stack: got no tensors, expected at least one]`,
  );
  expect(() => stack([x, engine.ones([3, 2])])).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: stack: got tensors [2,3] and [3,2], expected one shape]`,
  );
  expect(() => stack([x], 3)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: stack: got axis 3 for tensors of rank 2, expected -3 to 2]`,
  );
});
