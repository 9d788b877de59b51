import { expect, test } from "vitest";
import type { Array64 } from "../../engine/oracle/array.ts";
import * as oracle from "../../engine/oracle/resize.ts";
import { resizeBilinear, resizeBilinearGrad, resizeNearest } from "../../kernels/resize.ts";
import { bilinearStrips, bilinearStripsGrad, stripGradVariant } from "../../kernels/resize-strips.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { eachVariant, launched } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

/** [n,c,h,w] and the size it is taken to: doubled, by odd factors, down, from and to single places, past a run. */
const problems = [
  [
    [1, 1, 1, 1],
    [1, 1],
  ],
  [
    [2, 3, 4, 5],
    [8, 10],
  ],
  [
    [1, 2, 3, 67],
    [7, 73],
  ],
  [
    [2, 1, 9, 69],
    [4, 19],
  ],
  [
    [1, 2, 1, 7],
    [5, 1],
  ],
  [
    [3, 1, 6, 1],
    [1, 33],
  ],
] as const;

/** Doubled and not quite, up by a third, down, from single places; higher than a strip. */
const strips = [
  [
    [2, 3, 4, 5],
    [8, 12],
  ],
  [
    [1, 2, 19, 21],
    [38, 40],
  ],
  [
    [2, 1, 12, 9],
    [16, 12],
  ],
  [
    [1, 2, 33, 50],
    [14, 16],
  ],
  [
    [2, 1, 2, 2],
    [3, 4],
  ],
] as const;

/** Launches by `launch` and compares for every problem. `image` is normal, of the shape that is read. */
async function each(
  adjoint: boolean,
  mathematics: (
    image: Array64,
    size: readonly [number, number],
    inputSize: readonly [number, number],
  ) => Array64,
  launch: (
    image: Array64,
    shape: readonly number[],
    sizes: Record<"planes" | "height" | "width" | "oh" | "ow", number>,
  ) => Promise<ArrayLike<number>>,
  sizes: readonly (typeof problems | typeof strips)[number][] = problems,
): Promise<void> {
  for (const [[n, c, height, width], [oh, ow]] of sizes) {
    const image = normal(adjoint ? [n, c, oh, ow] : [n, c, height, width], 1);
    const expected = mathematics(image, [oh, ow], [height, width]);
    const got = await launch(image, expected.shape, { planes: n * c, height, width, oh, ow });
    // Places near 50 are rounded before their fraction is taken.
    expectNear(got, expected, { terms: 50 }, `${height} x ${width} to ${oh} x ${ow}`);
  }
}

const steps = (
  corners: boolean,
  { height, width, oh, ow }: Record<"height" | "width" | "oh" | "ow", number>,
) => {
  const step = (from: number, to: number) => (corners ? (to > 1 ? (from - 1) / (to - 1) : 0) : from / to);
  return { scaleY: step(height, oh), scaleX: step(width, ow) };
};

test.each(eachVariant(resizeNearest))("%s", (_, v) =>
  each(
    v.adjoint,
    (image, size, inputSize) =>
      v.adjoint ? oracle.resizeNearestGrad(image, { inputSize }) : oracle.resizeNearest(image, { size }),
    async (x, y, sizes) => (await launched(resizeNearest, v, { x }, { y }, sizes))["y"]!,
  ),
);

test.each(eachVariant(resizeBilinear))("%s", (_, v) =>
  each(
    false,
    (x, size) => oracle.resizeBilinear(x, { size, alignCorners: v.corners }),
    async (x, y, sizes) =>
      (await launched(resizeBilinear, v, { x }, { y }, { ...sizes, ...steps(v.corners, sizes) }))["y"]!,
  ),
);

test.each(eachVariant(resizeBilinearGrad))("%s", (_, v) =>
  each(
    true,
    (dy, size, inputSize) => oracle.resizeBilinearGrad(dy, { size, alignCorners: v.corners, inputSize }),
    async (dy, dx, sizes) =>
      (await launched(resizeBilinearGrad, v, { dy }, { dx }, { ...sizes, ...steps(v.corners, sizes) }))[
        "dx"
      ]!,
  ),
);

test.each(eachVariant(bilinearStrips))("%s", (_, v) =>
  each(
    false,
    (x, size) => oracle.resizeBilinear(x, { size, alignCorners: v.corners }),
    async (x, y, sizes) =>
      (await launched(bilinearStrips, v, { x }, { y }, { ...sizes, ...steps(v.corners, sizes) }))["y"]!,
    strips,
  ),
);

test.each(eachVariant(bilinearStripsGrad))("%s", (_, v) =>
  each(
    true,
    (dy, size, inputSize) => oracle.resizeBilinearGrad(dy, { size, alignCorners: v.corners, inputSize }),
    async (dy, dx, sizes) => {
      const params = { ...sizes, ...steps(v.corners, sizes) };
      return (await launched(bilinearStripsGrad, v, { dy }, { dx }, params))["dx"]!;
    },
    strips.filter(
      ([[, , ...from], to]) => stripGradVariant(engine.hardware, v.corners, from, to)!.taps <= v.taps,
    ),
  ),
);

test("the taps of a gradient are counted, and few", () => {
  const taps = (corners: boolean, from: number, to: number) =>
    stripGradVariant(engine.hardware, corners, [from, from], [to, to])?.taps;
  for (const corners of [false, true])
    for (let from = 2; from <= 40; from++)
      for (let to = 2; to <= 80; to++) {
        const looks = Array.from({ length: to }, (_, o) =>
          corners
            ? (o * (from - 1)) / (to - 1)
            : Math.min(Math.max(((o + 0.5) * from) / to - 0.5, 0), from - 1),
        );
        const seen = (i: number) => looks.filter((at) => Math.abs(at - i) < 1 - 1e-9).length;
        const most = Math.max(...Array.from({ length: from }, (_, i) => seen(i)));
        const counted = taps(corners, from, to);
        const what = `${from} to ${to}`;
        if (counted === undefined) expect(2 * to, what).toBeGreaterThan(8 * (from - 1));
        else expect(most, what).toBeLessThanOrEqual(counted);
      }
  expect(taps(false, 16, 32)).toBe(4);
  expect(taps(true, 16, 32)).toBe(5);
  expect(taps(true, 1, 4)).toBeUndefined();
  expect(taps(false, 4, 60)).toBeUndefined();
});
