import { expect, test } from "vitest";
import { combine } from "../../engine/ops/index.ts";
import { combine as mathematics } from "../../engine/oracle/combine.ts";
import { Scalar } from "../../engine/scalar.ts";
import { checkOp } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";

const factors = [0.5, -2, 0, 3.25, -0.125, 1];

test.each([1, 2, 3, 4, 5, 6])("%d terms: value, first and second derivative", async (terms) => {
  const mine = factors.slice(0, terms);
  for (const shape of [[], [7], [2, 3, 4, 5]])
    await checkOp({
      op: (x, ...ks) =>
        combine(
          x,
          ks.map((k, j) => [j === 1 ? new Scalar(mine[j]!) : mine[j]!, k]),
        ),
      oracle: (x, ...ks) => mathematics(x, ks, mine),
      inputs: Array.from({ length: terms + 1 }, (_, i) => normal(shape, i + 1)),
      seed: terms,
    });
});

test("refuses no terms, seven, other shapes and other types", () => {
  const [x, k] = [engine.ones([2, 3]), engine.ones([3, 2])];
  const message = (terms: Parameters<typeof combine>[1]) => {
    try {
      combine(x, terms);
    } catch (fault) {
      return (fault as Error).message;
    }
    return "none";
  };
  expect(message([])).toBe("combine: got 0 terms, expected 1 to 6");
  expect(message(new Array(7).fill([1, x]))).toBe("combine: got 7 terms, expected 1 to 6");
  expect(message([[1, k]])).toBe("combine: got x [2,3] with a term [3,2], expected one shape");
  expect(message([[1, engine.ones([2, 3], "i32")]])).toBe("combine: got dtype i32, expected f32");
});
