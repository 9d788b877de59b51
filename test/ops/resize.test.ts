import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { resizeBilinear, resizeNearest } from "../../engine/ops/resize.ts";
import { withResidual } from "../../engine/oracle/array.ts";
import * as oracle from "../../engine/oracle/resize.ts";
import { checkOp, upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";
import { check, seed } from "../support/property.ts";

const int = (min: number, max: number) => fc.integer({ min, max });
const problems = fc.record({
  shape: fc.tuple(int(1, 3), int(1, 3), int(1, 9), int(1, 9)),
  size: fc.tuple(int(1, 20), int(1, 20)),
  seed,
});

test.each([false, true])(
  "resizeBilinear with alignCorners %s: value, first and second derivative",
  (alignCorners) =>
    check(
      problems,
      async ({ shape, size, seed }) => {
        await checkOp({
          op: (x) => resizeBilinear(x, size, { alignCorners }),
          oracle: (x) => oracle.resizeBilinear(x, { size, alignCorners }),
          inputs: [normal(shape, seed)],
          seed,
          terms: 20, // places near 20 are rounded before their fraction is taken
        });
      },
      15,
    ),
);

test("resizeNearest: value, first and second derivative", () =>
  check(
    problems,
    async ({ shape, size, seed }) => {
      await checkOp({
        op: (x) => resizeNearest(x, size),
        oracle: (x) => oracle.resizeNearest(x, { size }),
        inputs: [normal(shape, seed)],
        seed,
      });
    },
    15,
  ));

test("resizeNearest with a residual: value, first and second derivative", () =>
  check(
    fc.record({ problem: problems, whole: fc.boolean() }),
    async ({ problem: { shape, size: any, seed }, whole }) => {
      const [n, c, h, w] = shape;
      const size = whole ? ([2 * h, 3 * w] as const) : any;
      await checkOp({
        op: (x, residual) => resizeNearest(x!, size, { residual: residual! }),
        oracle: (x, residual) => withResidual(oracle.resizeNearest(x!, { size }), residual),
        inputs: [normal(shape, seed), normal([n, c, ...size], seed + 1)],
        seed,
      });
    },
    15,
  ));

test("the same size is the same image", async () => {
  const x = normal([1, 2, 5, 7], 1);
  for (const op of [resizeNearest, resizeBilinear]) {
    const y = op(upload(x), [5, 7]);
    expectNear(await y.data(), x);
    y.dispose();
  }
});

test("long lines: 1000 to 333 and back, by whole numbers in nearest", async () => {
  const x = normal([1, 1, 1, 1000], 1);
  for (const size of [
    [1, 333],
    [1, 3000],
    [1, 999],
  ] as const) {
    const nearest = resizeNearest(upload(x), size);
    expectNear(await nearest.data(), oracle.resizeNearest(x, { size }));
    const smooth = resizeBilinear(upload(x), size);
    expectNear(await smooth.data(), oracle.resizeBilinear(x, { size, alignCorners: false }), { terms: 1e4 });
    for (const t of [nearest, smooth]) t.dispose();
  }
});

test("nearest looks at the right input where in / out, rounded, would miss it", async () => {
  for (const [from, to] of [
    [26, 22],
    [14, 46],
    [28, 46],
    [26, 44],
  ] as const) {
    const x = normal([1, 1, from, 2], 1);
    const y = resizeNearest(upload(x), [to, 2]);
    expectNear(
      await y.data(),
      oracle.resizeNearest(x, { size: [to, 2] }),
      { magnitude: 0 },
      `${from} to ${to}`,
    );
    y.dispose();
  }
});

describe("messages", () => {
  test("dtype, rank and size", () => {
    expect(() => resizeNearest(engine.ones([1, 1, 2, 2], "i32"), [2, 2])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: resizeNearest: got dtype i32, expected f32]`,
    );
    expect(() => resizeBilinear(engine.ones([1, 2, 2]), [2, 2])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: resizeBilinear: got x [1,2,2], expected [n,c,h,w]]`,
    );
    expect(() =>
      resizeNearest(engine.ones([1, 1, 2, 2]), [2] as unknown as [number, number]),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: resizeNearest: got size [2], expected [y,x] of whole numbers from 1]`,
    );
    expect(() => resizeBilinear(engine.ones([1, 1, 2, 2]), [2.5, 2])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: resizeBilinear: got size [2.5,2], expected [y,x] of whole numbers from 1]`,
    );
  });

  test("residual", () => {
    const x = engine.ones([1, 1, 2, 2]);
    expect(() => resizeNearest(x, [4, 4], { residual: x })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: resizeNearest: got residual [1,1,2,2], expected the output's shape [1,1,4,4]]`,
    );
    expect(() =>
      resizeNearest(x, [4, 4], { residual: engine.ones([1, 1, 4, 4], "i32") }),
    ).toThrowErrorMatchingInlineSnapshot(`[UsageError: resizeNearest: got dtype i32, expected f32]`);
  });
});
