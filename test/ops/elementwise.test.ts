import fc from "fast-check";
import { expect, test } from "vitest";
import { add, div, mul, sub } from "../../engine/ops/binary.ts";
import { applyBinary } from "../../engine/oracle/binary.ts";
import { checkOp, upload } from "../support/check-op.ts";
import { awayFromZero, normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";
import { check, seed } from "../support/property.ts";

/** Two shapes that broadcast: of each axis either may have length 1, and either may lack the leading ones. */
const broadcasting = fc
  .record({
    axes: fc.array(fc.record({ length: fc.integer({ min: 1, max: 6 }), x: fc.boolean(), y: fc.boolean() }), {
      maxLength: 5,
    }),
    dropX: fc.integer({ min: 0, max: 4 }),
    dropY: fc.integer({ min: 0, max: 4 }),
  })
  .map(({ axes, dropX, dropY }) => {
    const side = (own: "x" | "y", drop: number) =>
      axes.map((a) => (a[own] ? a.length : 1)).slice(Math.min(drop, axes.length));
    return dropX < dropY ? [side("x", 0), side("y", dropY)] : [side("x", dropX), side("y", 0)];
  });

test("two operands broadcast as in NumPy, up to rank 5", () =>
  check(
    fc.record({ shapes: broadcasting, seed }),
    async ({ shapes: [a, b], seed }) => {
      const inputs = [normal(a!, seed), awayFromZero(0.5)(b!, seed + 1)];
      const terms = 6 ** 5; // the gradients of stretched axes are sums
      await checkOp({ op: mul, oracle: (x, y) => applyBinary("mul", x, y), inputs, seed, terms });
      await checkOp({ op: div, oracle: (x, y) => applyBinary("div", x, y), inputs, seed, terms });
    },
    25,
  ));

test("six alternating axes, the most there can be", async () => {
  const inputs = [normal([2, 1, 3, 1, 2, 1], 1), normal([1, 3, 1, 2, 1, 5], 2)];
  await checkOp({ op: sub, oracle: (x, y) => applyBinary("sub", x, y), inputs, seed: 0 });
});

test("seven alternating axes are refused", () => {
  const [x, y] = [engine.ones([2, 1, 2, 1, 2, 1, 2]), engine.ones([1, 2, 1, 2, 1, 2, 1])];
  expect(() => add(x, y)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: add: got 7 alternating axes, expected at most 6; reshape first]`,
  );
});

test("eight axes are well where they join to six", async () => {
  const [x, y] = [normal([2, 1, 2, 2, 1, 1, 2, 3], 1), normal([2, 3, 1, 1, 2, 2, 1, 1], 2)];
  const z = add(upload(x), upload(y));
  expectNear(await z.data(), applyBinary("add", x, y));
  z.dispose();
});

test.each([1, 3, 4, 63, 64, 65, 255, 256, 257, 1023, 4097, 70_001])(
  "%d elements, whatever is left over by vec4s and workgroups",
  async (n) => {
    const [x, y] = [normal([n], 1), normal([n], 2)];
    const z = sub(upload(x), upload(y));
    const s = sub(2, z);
    const [got, scaled] = await engine.readAll([z, s]);
    const expected = applyBinary("sub", x, y);
    expectNear(got!, expected);
    expectNear(scaled!, { shape: [n], data: expected.data.map((v) => 2 - v) });
    z.dispose();
    s.dispose();
  },
);

test("an operand with itself", async () => {
  await checkOp({
    op: (x) => mul(x, x),
    oracle: (x) => applyBinary("mul", x, x),
    inputs: [normal([3, 4], 5)],
    seed: 5,
  });
  await checkOp({
    op: (x) => mul(x, mul(x, x)),
    oracle: (x) => applyBinary("pow", x, { shape: [], data: Float64Array.of(3) }),
    inputs: [normal([3, 4], 5)],
    seed: 6,
  });
});
