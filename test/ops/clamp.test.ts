import { expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { clamp, sum } from "../../engine/ops/index.ts";
import { array64, map } from "../../engine/oracle/array.ts";
import { Scalar } from "../../engine/scalar.ts";
import { checkOp, upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";

test("value, first and second derivative", () =>
  checkOp({
    op: (x) => clamp(x, -0.5, new Scalar(0.75)),
    oracle: (x) => map(x, (v) => Math.min(Math.max(v, -0.5), 0.75)),
    inputs: [normal([3, 50], 1)],
    seed: 0,
  }));

test("the bounds are inside; infinities are not, and NaN stays", async () => {
  const x = engine.asVariable(upload(array64([6], [-1, 1, 0, Infinity, -Infinity, NaN])));
  const y = clamp(x, -1, 1);
  const [slope] = grad(sum(y), [x]);
  expect([...(await y.data())]).toEqual([-1, 1, 0, 1, -1, NaN]);
  expect([...(await slope!.data())].slice(0, 5)).toEqual([1, 1, 1, 0, 0]);
});
