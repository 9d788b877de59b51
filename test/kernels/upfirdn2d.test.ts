import { test } from "vitest";
import { map } from "../../engine/oracle/array.ts";
import { flip as flipped } from "../../engine/oracle/shape.ts";
import * as oracle from "../../engine/oracle/upfirdn2d.ts";
import type { Pads, Pair } from "../../engine/oracle/window.ts";
import { upfirdn2d, upfirdn2dTile } from "../../kernels/upfirdn2d.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { eachVariant, launched, variantsFor } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

interface Problem {
  readonly shape: readonly [number, number, number, number];
  readonly filter: Pair;
  readonly up: Pair;
  readonly down: Pair;
  readonly pad: Pads;
}

/** Both ways round; `launch` gets the sizes that all kernels of the family take. */
async function each(
  problems: readonly Problem[],
  launch: (
    problem: Problem,
    sizes: Record<"planes" | "height" | "width" | "oh" | "ow" | "flip", number>,
    arrays: { x: ReturnType<typeof normal>; filter_: ReturnType<typeof normal> },
    y: readonly number[],
  ) => Promise<Record<string, ArrayLike<number>>>,
): Promise<void> {
  for (const problem of problems)
    for (const flip of [0, 1]) {
      const [x, taps] = [normal(problem.shape, 1), normal(problem.filter, 2)];
      const filter = flip === 1 ? taps : flipped(taps, [0, 1]);
      const expected = oracle.upfirdn2d(x, filter, problem);
      const [n, c, height, width] = problem.shape;
      const [oh, ow] = expected.shape.slice(2) as [number, number];
      const sizes = { planes: n * c, height, width, oh, ow, flip };
      const { y } = await launch(problem, sizes, { x, filter_: taps }, expected.shape);
      const magnitude = oracle.upfirdn2d(map(x, Math.abs), map(filter, Math.abs), problem);
      const terms = problem.filter[0] * problem.filter[1];
      expectNear(y!, expected, { terms, magnitude }, `${JSON.stringify(problem)}, flip ${flip}`);
    }
}

test("a thread for each output", () =>
  each(
    [
      { shape: [1, 1, 1, 1], filter: [1, 1], up: [1, 1], down: [1, 1], pad: [0, 0, 0, 0] },
      { shape: [2, 3, 5, 7], filter: [4, 3], up: [2, 3], down: [3, 1], pad: [2, -1, 1, 3] },
      { shape: [1, 2, 6, 33], filter: [2, 5], up: [1, 2], down: [2, 2], pad: [-1, 2, 4, -2] },
    ],
    ({ filter: [kh, kw], up, down, pad }, sizes, arrays, y) =>
      launched(
        upfirdn2d,
        {},
        arrays,
        { y },
        {
          ...sizes,
          ...{ kh, kw, upY: up[0], upX: up[1], downY: down[0], downX: down[1] },
          ...{ top: pad[0], left: pad[2] },
        },
      ),
  ));

const modulo = (a: number, n: number) => ((a % n) + n) % n;

/** Variants that this adapter can run. */
const here = { ...upfirdn2dTile, variants: variantsFor(upfirdn2dTile, engine.hardware) };

test.each(eachVariant(here))("%s", (_, v) => {
  const [up, down] = [v.up, v.down];
  const along = { up: [up, up], down: [down, down] } as const;
  const before = up - v.phase; // so many zeros put the first real input under that tap
  const vecs = v.lead >= 0;
  /** A width, and zeros at the beginning of lines, such that the tiles' inputs begin in vec4s as they are read. */
  const wide = (width: number) => (vecs ? width + modulo(-width, 4) : width);
  const led = (left: number) => (vecs ? left + modulo(-left - v.lead, 4) : left);
  /** With as many zeros more at the end of lines as make results multiples of 4, where they are stored so. */
  const padded = (width: number, [top, bottom, left, right]: Pads): Pads => {
    const ow = Math.floor((wide(width) * up + led(left) + right - v.taps) / down) + 1;
    return [top, bottom, led(left), right + (v.vec ? ((4 - (ow % 4)) % 4) * down : 0)];
  };
  return each(
    [
      { shape: [1, 1, 1, wide(1)], filter: [3, v.taps], ...along, pad: padded(1, [2, 2, before, 4]) },
      { shape: [2, 3, 7, wide(5)], filter: [4, v.taps], ...along, pad: padded(5, [1, 3, before + up, 2]) },
      {
        shape: [1, 2, 5, wide(37)],
        filter: [1, v.taps],
        ...along,
        pad: padded(37, [-1, 1, before - 2 * up, -1]),
      },
      {
        shape: [1, 2, 6, wide(19)],
        filter: [5, v.taps],
        up: [1, up],
        down: [3, down],
        pad: padded(19, [3, 3, before, 0]),
      },
    ],
    ({ filter: [kh], up, down, pad: [top, , left] }, sizes, arrays, y) => {
      const offsets = { top: Math.floor(-top / up[0]), left: Math.floor(-left / up[1]) };
      const params = { ...sizes, kh, upY: up[0], downY: down[0], phaseY: modulo(-top, up[0]), ...offsets };
      return launched(upfirdn2dTile, v, arrays, { y }, params);
    },
  );
});
