import { describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { sum } from "../../engine/ops/index.ts";
import { pow } from "../../engine/ops/pow.ts";
import { array64, map, scalar, zip } from "../../engine/oracle/array.ts";
import { applyBinary } from "../../engine/oracle/binary.ts";
import { Scalar } from "../../engine/scalar.ts";
import { checkOp, upload } from "../support/check-op.ts";
import { normal, uniform } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";
import { check, seed } from "../support/property.ts";

test("values, to the rounding of the exponent's product with the logarithm", async () => {
  const x = uniform(0.01, 20)([500], 1);
  const y = uniform(-12, 12)([500], 2);
  const expected = applyBinary("pow", x, y);
  const argument = zip(x, y, (a, b) => Math.abs(b * Math.log(a)));
  const z = pow(upload(x), upload(y));
  expectNear(await z.data(), expected, { magnitude: zip(expected, argument, (e, a) => e * (1 + a)) });
  z.dispose();
});

test("zero, one, negative bases and whole exponents", async () => {
  const bases = [0, 1, -1, 2, -2, -0.5, 3.5, -7];
  const exponents = [0, 1, 2, 3, -1, -2, 7, 0.5, -0.5, 1 / 3].map(Math.fround);
  const x = array64(
    [80],
    bases.flatMap((b) => exponents.map(() => b)),
  );
  const y = array64(
    [80],
    bases.flatMap(() => exponents),
  );
  const z = pow(upload(x), upload(y));
  const expected = applyBinary("pow", x, y);
  expectNear(await z.data(), expected, { magnitude: map(expected, (e) => 10 * Math.abs(e)) });
  z.dispose();
});

describe("derivatives", () => {
  test("in base and exponent, broadcast", () =>
    check(
      seed,
      async (seed) => {
        const inputs = [uniform(0.5, 2)([3, 1, 4], seed), normal([2, 1], seed + 1)];
        await checkOp({
          op: (x, y) => pow(x!, y!),
          oracle: (x, y) => applyBinary("pow", x!, y!),
          inputs,
          seed,
          terms: 10,
        });
      },
      4,
    ));

  test("in the exponent is 0 where the base is 0", async () => {
    const [x, y] = [engine.variable([0, 0, 2]), engine.variable([2, 0, 3])];
    const [, dy] = engine.scope(() => grad(sum(pow(x, y)), [x, y]));
    const values = [...(await dy!.data())];
    expect(values.slice(0, 2)).toEqual([0, 0]);
    expect(values[2]).toBeCloseTo(8 * Math.LN2, 4);
    for (const t of [x, y, dy!]) t.dispose();
  });

  test.each([2, 3, -1, 0.5, -2.5, 1])("with the exponent %d", (s) =>
    checkOp({
      op: (x) => pow(x, s),
      oracle: (x) => applyBinary("pow", x, scalar(s)),
      inputs: [uniform(0.5, 2)([9], 1)],
      seed: 3,
      terms: 10,
    }),
  );

  test.each([2, 3])("of negative bases with the whole exponent %d", (s) =>
    checkOp({
      op: (x) => pow(x, s),
      oracle: (x) => applyBinary("pow", x, scalar(s)),
      inputs: [uniform(-2, -0.5)([9], 1)],
      seed: 3,
      terms: 10,
    }),
  );

  test("at base 0 they are finite where the mathematics is", async () => {
    for (const [s, slope] of [
      [2, 0],
      [1, 1],
      [3, 0],
      [0, 0],
    ] as const) {
      const [x, exponent] = [engine.variable([0]), engine.tensor([s])];
      const slopes = engine.scope(() => [s, exponent].map((y) => grad(pow(x, y), [x])[0]!));
      for (const dx of slopes) expect(await dx.item(), `x^${s}`).toBe(slope);
      for (const t of [x, exponent, ...slopes]) t.dispose();
    }
  });
});

test("an exponent that is a Scalar has a value, but no derivative", async () => {
  const x = engine.variable([3]);
  const y = engine.scope(() => pow(x, new Scalar(2)));
  expect(await y.item()).toBeCloseTo(9, 5);
  expect(() => grad(y, [x])).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: pow: got a Scalar exponent, expected a number for a derivative]`,
  );
  for (const t of [x, y]) t.dispose();
});

test("an exponent that is no number is refused", () => {
  const x = engine.ones([2]);
  expect(() => pow(x, "2" as unknown as number)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: pow: got "2", expected a number or a Scalar]`,
  );
  x.dispose();
});

test("a dtype other than f32 is refused, on either side", () => {
  const [x, i] = [engine.ones([2]), engine.ones([2], "i32")];
  expect(() => pow(i, 2)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: pow: got dtype i32, expected f32]`,
  );
  expect(() => pow(x, i)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: pow: got dtype i32, expected f32]`,
  );
});
