import { describe, expect, test } from "vitest";
import { clipGradients } from "../../engine/optim/clip.ts";
import type { Array64 } from "../../engine/oracle/array.ts";
import { type ClipFactorVariant, clipFactor, clipFactorVariant, wantsSum } from "../../kernels/clip.ts";
import { range } from "../../kernels/kernel.ts";
import {
  type SquareSumsCount,
  type SquareSumsVariant,
  squareSums,
  squareSumsCounts,
  squareSumsOf,
  squareSumsVariant,
} from "../../kernels/square-sums.ts";
import { normal } from "../support/draw.ts";
import { choosingFor, engine } from "../support/engine.ts";
import { launched } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

const squares = (values: Float64Array) => values.reduce((sum, v) => sum + v * v, 0);

/** The sums of some tensors, after two others. */
async function summed(
  variant: SquareSumsVariant,
  xs: readonly Array64[],
): Promise<Float32Array<ArrayBuffer>> {
  const parts = xs.reduce((total, { data }) => total + squareSumsOf(data.length, variant), 0);
  const names = range(variant.tensors);
  const inputs = Object.fromEntries(names.map((k) => [`x${k}`, xs[k] ?? xs[0]!]));
  const counts = squareSumsCounts.map((name, k) => [name, xs[k]?.data.length ?? 0]);
  const params = { at: 2, ...(Object.fromEntries(counts) as Record<SquareSumsCount, number>) };
  const { sums } = await launched(squareSums, variant, inputs, { sums: [2 + parts] }, params);
  return Float32Array.from(sums as Float32Array).subarray(2);
}

describe.each(squareSums.variants)("by $by", (variant) => {
  const size = { group: 8192, thread: 256 }[variant.by];
  test.each([1, 3, 5, 255, 257, 1023, 8191, 8192, 8193, 20_002])(
    "of %d numbers, after two other sums",
    async (count) => {
      const x = normal([count], 1);
      const parts = squareSumsOf(count, variant);
      const expected = Array.from({ length: parts }, (_, k) =>
        squares(x.data.subarray(k * size, (k + 1) * size)),
      );
      expectNear(
        await summed(variant, [x]),
        { shape: [parts], data: Float64Array.from(expected) },
        { terms: size },
      );
    },
  );
});

/** What launches take where as many can be bound as here. */
const most = (["cpu", "gpu"] as const).map((kind) => squareSumsVariant({ ...engine.hardware, kind }, 15));

test.each([
  ...squareSums.variants.flatMap((v) =>
    range(v.tensors)
      .slice(1)
      .map((k) => [k + 1, v] as const),
  ),
  ...most.map((v) => [v.tensors, v] as const),
])("of %d tensors at once, what they are one by one, %j", async (tensors, variant) => {
  const sizes = [257, 1, 40_001, 8, 8192, 16_385, 3, 9, 256, 1, 8193, 255, 4, 511, 2].slice(0, tensors);
  const xs = sizes.map((size, i) => normal([size], i + 1));
  const apart = await Promise.all(xs.map((x) => summed(variant, [x])));
  expect([...(await summed(variant, xs))]).toEqual(apart.flatMap((sums) => [...sums]));
});

test.each(["cpu", "gpu"] as const)(
  "gradients are clipped by them on a %s: the factor and the norm, and -1 for what is not finite",
  (kind) =>
    choosingFor({ kind }, async () => {
      const some = [[7, 9], [5], [91, 97], [1], [300], [2, 3], [17], [1025], [4, 64]];
      const sizes = [...some, ...some]; // more than a launch takes
      const values = sizes.map((size, i) => normal(size, i + 1));
      const grads = values.map((x) => engine.tensor(Float32Array.from(x.data), x.shape));
      const norm = Math.sqrt(values.reduce((sum, x) => sum + squares(x.data), 0));
      const [factor, own] = (await clipGradients(grads, 2).data()) as Float32Array;
      expect(factor! / (2 / (norm + 1e-6))).toBeCloseTo(1, 5);
      expect(own! / norm).toBeCloseTo(1, 5);
      const [refused] = (await clipGradients(
        [...grads, engine.tensor([Number.NaN])],
        2,
      ).data()) as Float32Array;
      expect(refused).toBe(-1);
    }),
);

describe.each(clipFactor.variants)("the factor, added up by a $by", (variant: ClipFactorVariant) => {
  const factorOf = async (x: Array64, maxNorm: number) => {
    const params = { count: x.data.length, maxNorm };
    const { factor } = await launched(clipFactor, variant, { squares: x }, { factor: [2] }, params);
    return [...(factor as Float32Array)];
  };

  test.each([1, 3, 4, 255, 640, 1027, 2048])("of %d squares", async (count) => {
    const drawn = normal([count], 1);
    const x = { ...drawn, data: drawn.data.map((v) => v * v) };
    const norm = Math.sqrt(x.data.reduce((sum, v) => sum + v, 0));
    const expected = (maxNorm: number) => ({
      shape: [2],
      data: Float64Array.of(Math.min(1, maxNorm / (norm + 1e-6)), norm),
    });
    for (const maxNorm of [norm / 3, 2 * norm])
      expectNear(await factorOf(x, maxNorm), expected(maxNorm), { terms: count });
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])("-1 where one of them is %d", async (bad) => {
    const x = normal([41], 1);
    x.data[40] = bad;
    expect((await factorOf(x, 1))[0]).toBe(-1);
  });
});

test("no more tensors a launch than there are", () => {
  const of = (maxStorageBuffers: number | undefined, count: number) =>
    squareSumsVariant({ ...engine.hardware, maxStorageBuffers }, count).tensors;
  expect([of(16, 49), of(16, 4), of(undefined, 49), of(64, 49)]).toEqual([15, 4, 7, 15]);
});

test.each([
  ["cpu", 2048],
  ["gpu", 16_384],
] as const)("on a %s more than %d squares are summed in a launch of their own", (kind, count) => {
  const variant = clipFactorVariant({ ...engine.hardware, kind });
  expect([count, count + 1].map((n) => wantsSum(variant, n))).toEqual([false, true]);
});

test("gradients of so many numbers that their squares are summed before", async () => {
  const x = normal([2049 * 256 + 3], 1);
  const grad = engine.tensor(Float32Array.from(x.data));
  const norm = Math.sqrt(squares(x.data));
  const [factor, own] = (await clipGradients([grad], 1).data()) as Float32Array;
  expect(factor! * norm).toBeCloseTo(1, 5);
  expect(own! / norm).toBeCloseTo(1, 5);
});
