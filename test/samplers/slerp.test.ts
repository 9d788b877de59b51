import { expect, test } from "vitest";
import { UsageError } from "../../engine/errors.ts";
import { randn } from "../../engine/random.ts";
import { slerp } from "../../samplers/index.ts";
import { engine } from "../support/engine.ts";
import { rowsOf } from "./diffused.ts";

async function between(a: number[][], b: number[][], weight: number): Promise<number[][]> {
  const [n, d] = [a.length, a[0]!.length];
  using from = engine.tensor(a.flat(), [n, d]);
  using to = engine.tensor(b.flat(), [n, d]);
  const x = await slerp(from, to, weight);
  const values = await x.data();
  x.dispose();
  return rowsOf(values, d);
}

const length = (row: readonly number[]) => Math.hypot(...row);
const angle = (a: readonly number[], b: readonly number[]) =>
  Math.acos(a.reduce((total, v, i) => total + v * b[i]!, 0) / length(a) / length(b));

test("stays on the sphere, at the share of the angle that was asked for", async () => {
  const unit = (row: number[]) => row.map((v) => (3 * v) / length(row));
  const a = [
    [1, 2, 0.5, -1],
    [0, 1, 0, 0],
  ].map(unit);
  const b = [
    [-1, 0.3, 2, 0.2],
    [1, 0, 0, 0],
  ].map(unit);
  for (const weight of [0.1, 0.5, 0.8]) {
    const x = await between(a, b, weight);
    for (const [i, row] of x.entries()) {
      expect(length(row)).toBeCloseTo(3, 5);
      expect(angle(a[i]!, row)).toBeCloseTo(weight * angle(a[i]!, b[i]!), 5);
      expect(angle(row, b[i]!)).toBeCloseTo((1 - weight) * angle(a[i]!, b[i]!), 5);
    }
  }
});

test("begins at a and ends at b, whatever their lengths; from the other end it is the same arc", async () => {
  const [a, b] = [[[1, 2, 3]], [[-2, 0.5, 4]]];
  for (const [weight, end] of [
    [0, a],
    [1, b],
  ] as const)
    for (const [i, v] of (await between(a, b, weight))[0]!.entries()) expect(v).toBeCloseTo(end[0]![i]!, 5);
  const [there, back] = [await between(a, b, 0.3), await between(b, a, 0.7)];
  for (const [i, v] of there[0]!.entries()) expect(v).toBeCloseTo(back[0]![i]!, 5);
});

test("in one direction it is a straight line", async () => {
  expect((await between([[1, 2]], [[2, 4]], 0.25))[0]!.map((v) => Math.fround(v))).toEqual([1.25, 2.5]);
});

test("between draws from a prior the length of draws is kept, which a straight line loses", async () => {
  using a = randn(engine, [4, 3, 8, 8], { seed: 1, purpose: "prior" });
  using b = randn(engine, [4, 3, 8, 8], { seed: 2, purpose: "prior" });
  const x = await slerp(a, b, 0.5);
  expect(x.shape).toEqual([4, 3, 8, 8]);
  for (const row of rowsOf(await x.data(), 192)) {
    expect(length(row) / Math.sqrt(192)).toBeGreaterThan(0.85); // 0.71 halfway on a line
    expect(length(row) / Math.sqrt(192)).toBeLessThan(1.15);
  }
  x.dispose();
});

test("refuses other shapes, opposite directions and zero", async () => {
  const message = async (a: number[][], b: number[][]) => {
    const { live } = engine.memory();
    const fault = await between(a, b, 0.5).catch((e: unknown) => e);
    expect(fault).toBeInstanceOf(UsageError);
    expect(engine.memory().live).toBe(live);
    return (fault as Error).message;
  };
  const opposite =
    "slerp: got sample 1 in opposite directions or zero, expected one shortest arc between the two; go by a third";
  expect(
    await message(
      [
        [1, 0],
        [1, 2],
      ],
      [
        [0, 1],
        [-2, -4],
      ],
    ),
  ).toBe(opposite);
  expect(
    await message(
      [
        [1, 0],
        [1, 2],
      ],
      [
        [0, 1],
        [0, 0],
      ],
    ),
  ).toBe(opposite);
  using a = engine.ones([2, 3]);
  using b = engine.ones([3, 2]);
  await expect(slerp(a, a, Number.NaN)).rejects.toThrow("slerp: got weight NaN, expected a finite number");
  await expect(slerp(a, b, 0.5)).rejects.toThrow("slerp: got a [2,3], b [3,2], expected one shape");
});
