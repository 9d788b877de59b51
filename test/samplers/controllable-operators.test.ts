import { describe, expect, test } from "vitest";
import type { Shape } from "../../engine/tensor.ts";
import { blur, maskedFourier, type Operator, superResolution } from "../../samplers/index.ts";
import { engine } from "../support/engine.ts";

const values = (count: number, phase: number) =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(i * i + phase));
const sizeOf = (shape: Shape) => shape.reduce((a, b) => a * b, 1);

/** A x and B y on the host, of arrays. */
async function both(operator: Operator, shape: Shape) {
  const run = async (f: Operator["apply"], data: ArrayLike<number>, own: Shape) => {
    const y = engine.scope(() => f(engine.tensor(Float32Array.from(data), own)));
    const result = { data: [...(await y.data())], shape: y.shape };
    y.dispose();
    return result;
  };
  const { shape: observed } = await run(operator.apply, values(sizeOf(shape), 0), shape);
  return {
    observed,
    apply: async (x: ArrayLike<number>) => (await run(operator.apply, x, shape)).data,
    answer: async (y: ArrayLike<number>) => (await run(operator.answer, y, observed)).data,
  };
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((total, v, i) => total + v * b[i]!, 0);
const near = (a: readonly number[], b: ArrayLike<number>) => {
  expect(a.length).toBe(b.length);
  for (const [i, v] of a.entries()) expect(Math.abs(v - b[i]!), `element ${i}`).toBeLessThan(2e-6);
};

/** Frequencies measured with and without their opposites. */
const lopsided = [
  [1, 1, 0, 0, 1],
  [0, 1, 0, 0, 0],
  [0, 0, 1, 0, 0],
  [1, 0, 0, 1, 0],
];
const rows = (h: number, w: number) =>
  Array.from({ length: h }, (_, i) => new Array<number>(w).fill(i % 3 === 0 ? 1 : 0));

const exact: [string, Operator, Shape, Shape][] = [
  ["superResolution 2", superResolution(2), [2, 3, 4, 6], [2, 3, 2, 3]],
  ["superResolution 3", superResolution(3), [1, 1, 9, 3], [1, 1, 3, 1]],
  ["maskedFourier, opposites missing", maskedFourier(lopsided), [2, 3, 4, 5], [2, 6, 4, 5]],
  ["maskedFourier, rows", maskedFourier(rows(7, 8)), [1, 2, 7, 8], [1, 4, 7, 8]],
  [
    "maskedFourier, everything",
    maskedFourier([
      [1, 1],
      [1, 1],
      [1, 1],
    ]),
    [1, 1, 3, 2],
    [1, 2, 3, 2],
  ],
];

describe("the pseudo-inverse", () => {
  test.each(exact)("of %s", async (_, operator, shape, observedShape) => {
    const { observed, apply, answer } = await both(operator, shape);
    expect(observed).toEqual(observedShape);
    const [x, other] = [values(sizeOf(shape), 1), values(sizeOf(shape), 2)];
    const y = await apply(x);
    const seen = await answer(y);
    near(await apply(seen), y); // A B A = A
    near(await answer(await apply(seen)), seen); // B A B = B on what can be observed
    // B A is symmetric: what A does not see is left alone.
    expect(dot(other, seen)).toBeCloseTo(dot(await answer(await apply(other)), x), 4);
  });
});

describe("blur", () => {
  test.each([[[1, 2, 1]], [[1, 0, 3]], [[0.2, -1, 4, 2, 1]], [[5]]])(
    "by %o: the answer is the transpose, and |A| <= 1",
    async (taps) => {
      const shape = [2, 2, 5, 6];
      const { observed, apply, answer } = await both(blur(taps), shape);
      expect(observed).toEqual(shape);
      const [x, y] = [values(120, 1), values(120, 2)];
      expect(dot(await apply(x), y)).toBeCloseTo(dot(x, await answer(y)), 4);
      let direction = [...x];
      for (let i = 0; i < 8; i++) {
        const next = await answer(await apply(direction));
        expect(dot(next, next)).toBeLessThanOrEqual(dot(direction, direction) * (1 + 1e-5));
        direction = next;
      }
    },
  );

  test("answers, after many iterations, as the pseudo-inverse", async () => {
    const { apply, answer } = await both(blur([1, 8, 1], { iterations: 60 }), [1, 1, 3, 4]);
    const x = values(12, 1);
    const again = await answer(await apply(x)); // no detail is lost by these taps
    for (const [i, v] of again.entries()) expect(v).toBeCloseTo(x[i]!, 3);
  });

  test("of one pixel is the filter, as a convolution spreads it", async () => {
    const { apply } = await both(blur([1, 0, 3]), [1, 1, 3, 3]);
    near(await apply([0, 0, 0, 0, 16, 0, 0, 0, 0]), [1, 0, 3, 0, 0, 0, 3, 0, 9]);
  });
});

test("superResolution: means of blocks, and back", async () => {
  const { apply, answer } = await both(superResolution(2), [1, 1, 2, 4]);
  near(await apply([1, 2, 5, 6, 3, 6, 7, 10]), [3, 7]);
  near(await answer([3, 7]), [3, 3, 7, 7, 3, 3, 7, 7]);
});

test("maskedFourier is the unitary transform, frequency 0 first, where the mask is 1", async () => {
  const [h, w] = [4, 5];
  const { apply } = await both(maskedFourier(lopsided), [1, 1, h, w]);
  const x = values(h * w, 3);
  const expected = [Math.cos, (angle: number) => -Math.sin(angle)].flatMap((wave) =>
    lopsided.flatMap((row, u) =>
      row.map((measured, v) => {
        const terms = Array.from(x, (value, k) => {
          const [i, j] = [Math.floor(k / w), k % w];
          return value * wave(2 * Math.PI * ((u * i) / h + (v * j) / w));
        });
        return (measured * terms.reduce((a, b) => a + b)) / Math.sqrt(h * w);
      }),
    ),
  );
  near(await apply(x), expected);
});

describe("messages", () => {
  test("of operators that cannot be", () => {
    expect(() => superResolution(1)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: superResolution: got factor 1, expected a whole number from 2]`,
    );
    expect(() => superResolution(2.5)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: superResolution: got factor 2.5, expected a whole number from 2]`,
    );
    expect(() => blur([1, 1])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: blur: got taps [1,1], expected an odd number of finite ones, not all 0]`,
    );
    expect(() => blur([0])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: blur: got taps [0], expected an odd number of finite ones, not all 0]`,
    );
    expect(() => blur([1, Number.NaN, 1])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: blur: got taps [1,NaN,1], expected an odd number of finite ones, not all 0]`,
    );
    expect(() => blur([1], { iterations: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: blur: got iterations 0, expected a whole number from 1]`,
    );
    expect(() => maskedFourier([])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: maskedFourier: got a mask of 0 rows, 0 numbers in row 0, expected rows of one length, at least 1]`,
    );
    expect(() => maskedFourier([[1, 0], [1]])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: maskedFourier: got a mask of 2 rows, 1 numbers in row 1, expected rows of one length, at least 1]`,
    );
    expect(() =>
      maskedFourier([
        [1, 0],
        [0.5, 1],
      ]),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: maskedFourier: got mask 0.5 in row 1, expected 1 where measured and 0 elsewhere]`,
    );
  });

  test("of images that do not fit", () => {
    using plane = engine.zeros([4, 6]);
    using images = engine.zeros([1, 1, 5, 6]);
    expect(() => superResolution(2).apply(images)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: superResolution: got images [1,1,5,6], expected sizes that 2 divides; crop them]`,
    );
    expect(() => superResolution(2).apply(plane)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: superResolution: got x [4,6], expected [n,c,h,w]]`,
    );
    expect(() => blur([1]).apply(plane)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: blur: got x [4,6], expected [n,c,h,w]]`,
    );
    expect(() => maskedFourier(lopsided).apply(images)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: maskedFourier: got images [1,1,5,6], expected [n,c,4,5], the size of the mask]`,
    );
  });
});
