import { expect, test } from "vitest";
import { scale } from "../../engine/ops/scale.ts";
import { map } from "../../engine/oracle/array.ts";
import { Scalar } from "../../engine/scalar.ts";
import { checkOp } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";

test.each([3, -0.5, 0])(
  "by %d, as a number or a Scalar, of any rank: value, first and second derivative",
  async (s) => {
    for (const shape of [[], [5], [2, 3, 4]])
      for (const factor of [s, new Scalar(s)])
        await checkOp({
          op: (x) => scale(x, factor),
          oracle: (x) => map(x, (v) => s * v),
          inputs: [normal(shape, 1)],
          seed: 3,
        });
  },
);

test("a factor that is no number is refused", () => {
  const x = engine.ones([2]);
  expect(() => scale(x, undefined as unknown as number)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: scale: got undefined, expected a number or a Scalar]`,
  );
  x.dispose();
});

test("a dtype other than f32 is refused", () => {
  expect(() => scale(engine.ones([2], "u32"), 2)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: scale: got dtype u32, expected f32]`,
  );
});
