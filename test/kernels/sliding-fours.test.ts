import { expect, test } from "vitest";
import { type Array64, map } from "../../engine/oracle/array.ts";
import * as oracle from "../../engine/oracle/pool.ts";
import type { Pads } from "../../engine/oracle/window.ts";
import {
  type FoursVariant,
  foursVariant,
  markedMaxOfFours,
  markedPlaces,
  maxOfFours,
  maxOfFoursGrad,
  meanOfFours,
} from "../../kernels/sliding-fours.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { eachVariant, launched, variantsFor } from "../support/kernels.ts";
import { integers, largest, ties } from "../support/maxima.ts";
import { expectNear } from "../support/near.ts";

/** Variants that this adapter can run. */
const here = (kernel: typeof meanOfFours | typeof maxOfFours | typeof maxOfFoursGrad) =>
  eachVariant({ name: kernel.name, variants: variantsFor(kernel, engine.hardware) });
const gpu = { ...engine.hardware, kind: "gpu" } as const;
const leadOf = (left: number) =>
  foursVariant(gpu, "mean", { kh: 1, kw: left + 1, left, from: 4, to: 4, oh: 1 })!.lead;

interface Problem {
  readonly shape: readonly [number, number, number, number];
  readonly attrs: oracle.PoolAttrs;
}

/**
 * Images of one vec4 across, of several and of more than a subgroup has lanes, higher than a strip and lower, with as much
 * padding as there can be where windows begin `lead` places behind a vec4 and results come in fours.
 */
function problems({ kh, kw, lead }: FoursVariant, adjoint: boolean): Problem[] {
  const pads = (least: number): Pads[] =>
    [...Array(kw).keys()].flatMap((left) =>
      [...Array(kw).keys()]
        .filter((right) => (left + right - kw + 1) % 4 === 0)
        .filter(() => leadOf(adjoint ? kw - 1 - left : left) === lead)
        .map((right): Pads => [least, kh - 1 - least, left, right]),
    );
  const shapes = [
    [1, 1, kh, 8],
    [2, 3, 7, 12],
    [1, 2, 9, 20],
    [1, 1, 5, 44],
  ] as const;
  return shapes.flatMap((shape, i) =>
    pads([0, kh - 1, kh >> 1, 0][i]!).map((padding) => ({
      shape,
      attrs: { kernel: [kh, kw] as const, stride: [1, 1] as const, padding },
    })),
  );
}

/** Sizes of what is read and written, and the padding before it. */
function params(x: Array64, y: Array64, [top, left]: readonly [number, number]) {
  const [n, c, height, width] = x.shape as Problem["shape"];
  const [oh, ow] = y.shape.slice(2) as [number, number];
  return { planes: n * c, height, width, oh, ow, top, left };
}
const before = ({ padding }: oracle.PoolAttrs) => [padding[0], padding[2]] as const;
/** Of the adjoint. */
const beyond = ({ kernel, padding }: oracle.PoolAttrs) =>
  [kernel[0] - 1 - padding[0], kernel[1] - 1 - padding[2]] as const;

test("there is padding on every side among the problems", () => {
  const all = meanOfFours.variants.flatMap((v) => problems(v, false));
  for (let side = 0; side < 4; side++) expect(all.some(({ attrs }) => attrs.padding[side]! > 0)).toBe(true);
  for (const v of meanOfFours.variants) expect(problems(v, true).length).toBeGreaterThan(2);
});

test.each(here(meanOfFours))("%s", async (_, variant) => {
  const terms = variant.kh * variant.kw;
  for (const { shape, attrs } of problems(variant, false)) {
    const x = normal(shape, 1);
    const expected = oracle.avgPool2d(x, { ...attrs, countIncludePad: true });
    const { y } = await launched(
      meanOfFours,
      variant,
      { x },
      { y: expected.shape },
      params(x, expected, before(attrs)),
    );
    expectNear(y!, expected, { terms }, JSON.stringify(attrs));
  }
  for (const { shape, attrs } of problems(variant, true)) {
    const full = { ...attrs, countIncludePad: true };
    const dy = normal(oracle.avgPool2d(normal(shape, 1), full).shape, 2);
    const expected = oracle.avgPool2dGrad(dy, { ...full, inputSize: [shape[2], shape[3]] });
    const { y } = await launched(
      meanOfFours,
      variant,
      { x: dy },
      { y: shape },
      params(dy, expected, beyond(attrs)),
    );
    expectNear(y!, expected, { terms }, `adjoint of ${JSON.stringify(attrs)}`);
  }
});

/** Compared plainly; with NaN among them; with infinities and the lowest number; each with maxima that stand twice. */
const kinds: Record<string, (shape: readonly number[]) => Array64> = {
  plain: (shape) => map(ties(shape), (v) => (Number.isNaN(v) ? -7 : v)),
  "not a number": ties,
  infinite: (shape) =>
    map(ties(shape), (v, i) => [Infinity, -Infinity, Math.fround(-3.4028235e38)][(i * 7) % 11] ?? (v || 0)),
};

/** As the oracle's, but that a window of nothing but -Infinity has a maximum, too. */
function finitely(x: Array64, attrs: oracle.PoolAttrs) {
  const clean = map(x, (v) => (Number.isFinite(v) ? v : Math.sign(v) * 1e39));
  const { y, index } = oracle.maxPool2d(clean, attrs);
  return { y: map(y, (v) => (Math.abs(v) === 1e39 ? v * Infinity : v)), index };
}

test.each(here(maxOfFours))("%s", async (_, variant) => {
  for (const { shape, attrs } of problems(variant, false))
    for (const [kind, draw] of Object.entries(kinds)) {
      const x = draw(shape);
      const expected = kind === "infinite" ? finitely(x, attrs) : largest(x, attrs);
      const sizes = params(x, expected.y, before(attrs));
      const [n, c, oh, ow] = expected.y.shape as Problem["shape"];
      const what = `${kind} ${JSON.stringify(attrs)}`;
      const plain = await launched(maxOfFours, variant, { x }, { y: expected.y.shape }, sizes);
      expectNear(plain["y"]!, expected.y, { magnitude: 0 }, what);
      const outputs = { y: expected.y.shape, marks: [n, c, oh, ow / 4] };
      const got = await launched(markedMaxOfFours, variant, { x }, outputs, sizes);
      expectNear(got["y"]!, expected.y, { magnitude: 0 }, what);
      const marks = Int32Array.from(integers(got["marks"]!));
      expect(bytes(marks), what).toEqual(marksOf(expected.index, shape[3], attrs));
      const { planes: _, height: __, ...rest } = sizes;
      const { index } = await launched(
        markedPlaces,
        {},
        { marks },
        { index: expected.y.shape },
        { ...rest, count: n * c * oh * ow },
      );
      expect(integers(index!), what).toEqual([...expected.index.data]);
    }
});

const bytes = (words: Int32Array): number[] => [...new Uint8Array(words.buffer)];
/** 16 a + b for each place h * width + w, row a and column b of its window. */
function marksOf({ shape, data }: Array64, width: number, { padding: [top, , left] }: oracle.PoolAttrs) {
  const [, , oh, ow] = shape as Problem["shape"];
  return [...data].map((at, i) => {
    const [row, column] = [Math.floor(i / ow) % oh, i % ow];
    return 16 * (Math.floor(at / width) - row + top) + (at % width) - column + left;
  });
}

test.each(here(maxOfFoursGrad))("%s", async (_, variant) => {
  for (const { shape, attrs } of problems(variant, true)) {
    const { index } = largest(ties(shape), attrs);
    const dy = normal(index.shape, 2);
    const expected = oracle.maxPool2dGrad(dy, index, [shape[2], shape[3]]);
    const marks = new Int32Array(Uint8Array.from(marksOf(index, shape[3], attrs)).buffer);
    const { dx } = await launched(
      maxOfFoursGrad,
      variant,
      { dy, marks },
      { dx: shape },
      params(dy, expected, beyond(attrs)),
    );
    expectNear(dx!, expected, { terms: variant.kh * variant.kw }, JSON.stringify(attrs));
  }
});
