/** Winograd's F(2x2, 3x3) and F(4x4, 3x3): each transform against its matrices in float64, and the whole against the convolution. */
import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import { flopsOf } from "../../engine/dry.ts";
import { cast } from "../../engine/ops/cast.ts";
import { conv2d, conv2dInputGrad, conv2dWeightGrad } from "../../engine/ops/conv2d.ts";
import { type Array64, map } from "../../engine/oracle/array.ts";
import * as oracle from "../../engine/oracle/conv2d.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { convTile } from "../../kernels/conv-tiles.ts";
import {
  type By,
  type Share,
  type Transform,
  winogradInput,
  winogradOutput,
  winogradPlaces,
  winogradRuns,
  winogradTiles,
  winogradWeight,
} from "../../kernels/winograd.ts";
import { winogradOutputGrad, winogradWeightGrad } from "../../kernels/winograd-grad.ts";
import { elementOf, endsWithLanes, sharesRows } from "../../kernels/winograd-lanes.ts";
import { type WinogradTile, winogradMatrices, winogradTileSizes } from "../../kernels/winograd-matrices.ts";
import { upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { choosingFor, engine } from "../support/engine.ts";
import { launched, variantsFor } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";
import { expectPacks } from "../support/packs.ts";

const grid = (rows: number, columns: number, at: (i: number, j: number) => number): number[][] =>
  Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (_, j) => at(i, j)));

interface Matrices {
  /** B^T, G and A^T. */
  readonly B: number[][];
  readonly G: number[][];
  readonly A: number[][];
}

/** The matrices of Lavin & Gray 2016, section 4.1. */
const two: Matrices = {
  B: [
    [1, 0, -1, 0],
    [0, 1, 1, 0],
    [0, -1, 1, 0],
    [0, 1, 0, -1],
  ],
  G: [
    [1, 0, 0],
    [0.5, 0.5, 0.5],
    [0.5, -0.5, 0.5],
    [0, 0, 1],
  ],
  A: [
    [1, 1, 1, 0],
    [0, 1, -1, -1],
  ],
};

/** Those of Toom and Cook for finite points and infinity: powers, and what interpolates through them. */
function toomCook(points: readonly number[], outputs: number): Matrices {
  const side = points.length + 1;
  const others = (k: number) => points.filter((_, l) => l !== k);
  /** Coefficients of the polynomial with these roots, the constant first. */
  const withRoots = (roots: readonly number[]): number[] => {
    let product = [1];
    for (const root of roots)
      product = grid(1, product.length + 1, (_, i) => (product[i - 1] ?? 0) - root * (product[i] ?? 0))[0]!;
    return product.concat(Array.from({ length: side - product.length }, () => 0));
  };
  const scaleOf = (k: number) => others(k).reduce((scale, point) => scale * (points[k]! - point), 1);
  return {
    B: grid(side, side, (k, i) => withRoots(others(k))[i]!),
    G: grid(side, 3, (k, i) => (k < points.length ? points[k]! ** i / scaleOf(k) : i === 2 ? 1 : 0)),
    A: grid(outputs, side, (i, k) => (k < points.length ? points[k]! ** i : i === outputs - 1 ? 1 : 0)),
  };
}

const matrices: Record<WinogradTile, Matrices> = {
  2: two,
  4: toomCook([0, 5 / 8, -5 / 8, 3 / 2, -3 / 2], 4),
};

/** M X M^T. */
function between(m: number[][], x: number[][]): number[][] {
  const half = m.map((row) => x[0]!.map((_, j) => row.reduce((sum, v, k) => sum + v * x[k]![j]!, 0)));
  return half.map((row) => m.map((other) => row.reduce((sum, v, k) => sum + v * other[k]!, 0)));
}

describe.each(winogradTileSizes)("the matrices for %i outputs", (tile) => {
  const { input, weight, output } = winogradMatrices[tile];

  test("correlate a row with three weights", () => {
    const times = (m: readonly (readonly number[])[], x: ArrayLike<number>) =>
      m.map((row) => row.reduce((sum, v, k) => sum + v * x[k]!, 0));
    const [d, g] = [normal([tile + 2], 1).data, normal([3], 2).data];
    const [transformed, weights] = [times(input, d), times(weight, g)];
    const y = times(
      output,
      transformed.map((v, k) => v * weights[k]!),
    );
    for (let i = 0; i < tile; i++)
      expect(y[i]).toBeCloseTo(d[i]! * g[0]! + d[i + 1]! * g[1]! + d[i + 2]! * g[2]!, 12);
  });

  test("transform inputs and outputs by numbers that float32 holds", () => {
    for (const v of [...input, ...output].flat()) expect(Math.fround(v)).toBe(v);
  });
});

test.each(winogradWeight.variants)(
  "kernels: U = G g G^T, tiles of $tile, flip $flip, in blocks $blocks",
  async (variant) => {
    const { tile } = variant;
    const [side, places] = [tile + 2, winogradPlaces(tile)];
    for (const [co, ci] of [
      [17, 11],
      [3, 24],
    ] as const) {
      const w = normal([co, ci, 3, 3], 1);
      const packed = (flip: boolean): Array64 => {
        const [inner, outer] = flip ? [co, ci] : [ci, co];
        const pitch = Math.ceil(outer / 4) * 4;
        const data = new Float64Array(places * inner * pitch);
        for (let c = 0; c < inner; c++)
          for (let o = 0; o < outer; o++) {
            const at = (flip ? c * ci + o : o * ci + c) * 9;
            const u = between(
              matrices[tile].G,
              grid(3, 3, (i, j) => w.data[at + (flip ? 8 - 3 * i - j : 3 * i + j)]!),
            );
            for (let k = 0; k < places; k++)
              data[(k * inner + c) * pitch + o] = u[Math.floor(k / side)]![k % side]!;
          }
        return { shape: [places, inner, pitch], data };
      };
      const given = { pack: "u", w, packed, params: { ci, co } };
      await expectPacks(winogradWeight, variant, given, { terms: 9 });
    }
  },
);

/** Images of a problem's tiles, as the kernels lay them out. */
interface Layout {
  readonly tile: WinogradTile;
  readonly images: number;
  readonly oh: number;
  readonly ow: number;
  readonly dilationY: number;
  readonly dilationX: number;
}

/** Calls back for each tile of the images: where its outputs start, and its place. */
function eachTile(
  { tile, images, dilationY, dilationX, ...size }: Layout,
  visit: (image: number, y0: number, x0: number, place: number) => void,
): void {
  const { lines, runs } = winogradRuns(tile, { dilationY, dilationX, ...size });
  const run = tile === 2 ? 4 : 1;
  for (let image = 0; image < images; image++)
    for (let line = 0; line < lines; line++)
      for (let across = 0; across < run * runs; across++) {
        const [of, q] = [Math.floor(across / run), across % run];
        const y0 = (line % dilationY) + Math.floor(line / dilationY) * tile * dilationY;
        const x0 = (of % dilationX) + (Math.floor(of / dilationX) * run + q) * tile * dilationX;
        visit(image, y0, x0, (image * lines + line) * runs * run + across);
      }
}

const ofTiles: Omit<Layout, "images" | "oh">[] = [
  ...winogradTileSizes.flatMap((tile) =>
    [
      { dilationY: 1, dilationX: 1, ow: 19 },
      { dilationY: 1, dilationX: 1, ow: 20 },
      { dilationY: 2, dilationX: 3, ow: 19 },
    ].map((sizes) => ({ tile, ...sizes })),
  ),
  ...[
    { dilationY: 1, dilationX: 1, ow: 4 },
    { dilationY: 3, dilationX: 1, ow: 32 },
    { dilationY: 1, dilationX: 1, ow: 33 },
    { dilationY: 1, dilationX: 2, ow: 24 },
    { dilationY: 2, dilationX: 2, ow: 32 },
    { dilationY: 1, dilationX: 2, ow: 15 },
    { dilationY: 1, dilationX: 4, ow: 16 },
    { dilationY: 2, dilationX: 4, ow: 23 },
    { dilationY: 4, dilationX: 4, ow: 48 },
  ].map((sizes) => ({ tile: 4, ...sizes }) as const),
];

/** How lanes can share rows of tiles that are `width` wide. */
function sharing(tile: WinogradTile, dilationX: number, width: number, runs: number): (By & Share)[] {
  if (!sharesRows(engine.hardware, tile, dilationX)) return [];
  const shares = endsWithLanes(runs) ? (["lanes", "ends"] as const) : (["ends"] as const);
  const elements =
    elementOf(width, runs) === "fours" ? (["fours", "singles"] as const) : (["singles"] as const);
  return elements.flatMap((by) => shares.map((share) => ({ by, share })));
}

describe.each(ofTiles)("tiles of $tile, dilation $dilationY, $dilationX, rows of $ow", (sizes) => {
  const { tile, ow, dilationX, dilationY } = sizes;
  const { B, A } = matrices[tile];
  const [side, places] = [tile + 2, winogradPlaces(tile)];
  const [n, channels, oh] = [4, 9, 7];
  const [first, images] = [1, 3];
  const layout = { ...sizes, images, oh };
  const { lines, runs } = winogradRuns(tile, { ...sizes, oh });
  const tiles = winogradTiles(tile, { images, lines, runs });
  const params = { images, first, each: images, lines, runs, dilationY, dilationX };

  type Reads = By & Share & Record<"top" | "left" | "width", number>;
  const singles = { by: "singles", share: "none" } as const;
  const fours = { by: "fours", share: "none" } as const;
  const reads: Reads[] = [
    { top: 1, left: 2, width: 17, ...singles },
    { top: -1, left: 0, width: 17, ...singles },
    ...(dilationX === 1 ? [12, 16, 20].map((width) => ({ top: 1, left: 1, width, ...fours })) : []),
    ...[ow, ow - 1, ow - 2]
      .filter((width) => width > dilationX)
      .flatMap((width) =>
        sharing(tile, dilationX, width, runs).map((v) => ({ top: 2, left: dilationX, width, ...v })),
      ),
  ];
  test.each(reads)(
    "V = B^T d B, $top above and $left before $width, by $by, shared by $share",
    async ({ top, left, width, by, share }) => {
      const height = 6;
      const x = normal([n, channels, height, width], 1);
      const shape = [places, channels, tiles];
      const expected = new Float64Array(places * channels * tiles);
      for (let c = 0; c < channels; c++)
        eachTile(layout, (image, y0, x0, place) => {
          const d = grid(side, side, (i, j) => {
            const [y, column] = [y0 + i * dilationY - top, x0 + j * dilationX - left];
            const inside = y >= 0 && y < height && column >= 0 && column < width;
            return inside ? x.data[(((first + image) * channels + c) * height + y) * width + column]! : 0;
          });
          const v = between(B, d);
          for (let k = 0; k < places; k++)
            expected[(k * channels + c) * tiles + place] = v[Math.floor(k / side)]![k % side]!;
        });
      const inputs = { ...params, ci: channels, height, width, top, left };
      const { v } = await launched(
        winogradInput,
        { tile, turned: false, by, share },
        { x },
        { v: shape },
        inputs,
      );
      expectNear(v!, { shape, data: expected }, { terms: side ** 2 });
    },
  );

  const able = winogradOutput.variants.filter(
    (v) =>
      v.tile === tile &&
      (v.share === "none"
        ? v.by === "singles" || (dilationX === 1 && ow % 4 === 0)
        : sharing(tile, dilationX, ow, runs).some(({ by }) => by === v.by)),
  );
  test.each(able)(
    "y = A^T m A, residual $residual, by $by, shared by $share, turned $turned",
    async (variant) => {
      const { turned } = variant;
      const m = normal(turned ? [places, tiles, channels] : [places, channels, tiles], 1);
      const residual = normal([n, channels, oh, ow], 2);
      for (const [useBias, biasPitch] of [
        [0, 0],
        [1, 0],
        [1, channels],
      ] as const) {
        const bias = normal(biasPitch ? [n, channels] : [channels], 3);
        const expected = new Map<number, number>();
        for (let c = 0; c < channels; c++)
          eachTile(layout, (image, y0, x0, place) => {
            const y = between(
              A,
              grid(side, side, (i, j) => {
                const at = (side * i + j) * channels * tiles;
                return m.data[at + (turned ? place * channels + c : c * tiles + place)]!;
              }),
            );
            for (let k = 0; k < tile ** 2; k++) {
              const [i, j] = [Math.floor(k / tile), k % tile];
              const [row, column] = [y0 + i * dilationY, x0 + j * dilationX];
              if (row >= oh || column >= ow) continue;
              const at = (((first + image) * channels + c) * oh + row) * ow + column;
              const sum = y[i]![j]! + (useBias ? bias.data[biasPitch * (first + image) + c]! : 0);
              expected.set(at, variant.residual ? (sum + residual.data[at]!) * 0.7 : sum);
            }
          });
        expect(expected.size, "every output of the images, once").toBe(images * channels * oh * ow);
        const numbers = { ...params, co: channels, oh, ow, useBias, biasPitch, rescale: 0.7 };
        const inputs = { m, bias, ...(variant.residual && { residual }) };
        const { y } = await launched(winogradOutput, variant, inputs, { y: [n, channels, oh, ow] }, numbers);
        const kept = [...expected.keys()];
        const data = Float64Array.from(expected.values());
        expectNear(
          kept.map((at) => y![at]!),
          { shape: [data.length], data },
          { terms: side ** 2 },
          `bias ${useBias}, pitch ${biasPitch}`,
        );
        const others = Array.from(y!).filter((_, at) => !expected.has(at));
        expect(others.every(Number.isNaN), "images before the first are left as they are").toBe(true);
      }
    },
  );
});

/** Rows that can be read so: of 6 tiles, of one, of 5 that are not whole. */
const readable = {
  "singles none": { oh: 9, ow: 11, dilationY: 1, dilationX: 3, width: 9, left: 2, channels: 3 },
  "fours none": { oh: 9, ow: 12, dilationY: 2, dilationX: 1, width: 8, left: 1, channels: 3 },
  "fours lanes": { oh: 9, ow: 4, dilationY: 1, dilationX: 1, width: 4, left: 1, channels: 20 },
  "fours ends": { oh: 9, ow: 24, dilationY: 2, dilationX: 2, width: 24, left: 2, channels: 20 },
  "singles lanes": { oh: 9, ow: 9, dilationY: 1, dilationX: 4, width: 11, left: 4, channels: 20 },
  "singles ends": { oh: 9, ow: 19, dilationY: 2, dilationX: 1, width: 18, left: 1, channels: 20 },
};

describe.each(variantsFor<Transform>(winogradInput, engine.hardware))(
  "parts of the images, tiles of $tile, turned $turned, by $by, shared by $share",
  (variant) => {
    const { tile, turned, by, share } = variant;
    const { B, A } = matrices[tile];
    const [side, places] = [tile + 2, winogradPlaces(tile)];
    const [n, first, images, each] = [4, 1, 3, 2];
    const { oh, ow, dilationY, dilationX, width, left, channels } = readable[`${by} ${share}`];
    const layout = { tile, images, oh, ow, dilationY, dilationX };
    const { lines, runs } = winogradRuns(tile, layout);
    const params = { images, first, each, lines, runs, dilationY, dilationX };
    const tiles = winogradTiles(tile, { images: each, lines, runs });
    const ofImage = lines * runs * (tile === 2 ? 4 : 1);
    const shape = turned ? [2, places, tiles, channels] : [2, places, channels, tiles];

    /** [2 parts, places, ...] of what `transform` makes of each tile; zeros for the last part's second image and what fills up vec4s. */
    const expected = (transform: (image: number, c: number, y0: number, x0: number) => number[][]) => {
      const data = new Float64Array(shape.reduce((a, b) => a * b));
      for (let c = 0; c < channels; c++)
        eachTile(layout, (image, y0, x0, place) => {
          const values = transform(first + image, c, y0, x0);
          const [part, at] = [Math.floor(image / each), place - (image - (image % each)) * ofImage];
          for (let k = 0; k < places; k++) {
            const start = (part * places + k) * channels * tiles;
            const value = values[Math.floor(k / side)]![k % side]!;
            data[start + (turned ? at * channels + c : c * tiles + at)] = value;
          }
        });
      return { shape, data };
    };
    const at = (t: Array64, image: number, c: number, y: number, x: number): number => {
      const [, , height, width] = t.shape as [number, number, number, number];
      const inside = y >= 0 && y < height && x >= 0 && x < width;
      return inside ? t.data[((image * channels + c) * height + y) * width + x]! : 0;
    };

    test("V = B^T d B", async () => {
      const x = normal([n, channels, 6, width], 1);
      const sizes = { ...params, ci: channels, height: 6, width, top: 1, left };
      const { v } = await launched(winogradInput, variant, { x }, { v: shape }, sizes);
      const values = (image: number, c: number, y0: number, x0: number) =>
        between(
          B,
          grid(side, side, (i, j) => at(x, image, c, y0 + i * dilationY - 1, x0 + j * dilationX - left)),
        );
      expectNear(v!, expected(values), { terms: side ** 2 });
    });

    const gradients = winogradOutputGrad.variants.filter((v) => isDeepStrictEqual(v, variant));
    test.each(gradients)("W = A dy A^T", async () => {
      const dy = normal([n, channels, oh, ow], 1);
      const sizes = { ...params, co: channels, oh, ow };
      const { w } = await launched(winogradOutputGrad, variant, { dy }, { w: shape }, sizes);
      const turnedA = grid(side, tile, (i, j) => A[j]![i]!);
      const values = (image: number, c: number, y0: number, x0: number) =>
        between(
          turnedA,
          grid(tile, tile, (i, j) => at(dy, image, c, y0 + i * dilationY, x0 + j * dilationX)),
        );
      expectNear(w!, expected(values), { terms: tile ** 2 });
    });
  },
);

test.each(winogradTileSizes.flatMap((tile) => [0, 1].map((useBefore) => [tile, useBefore] as const)))(
  "kernels, tiles of %i: dg = G^T P G of the sum of parts, and of what came before: %i",
  async (tile, useBefore) => {
    const [parts, co, ci] = [3, 5, 7];
    const [side, places] = [tile + 2, winogradPlaces(tile)];
    const sums = normal([parts, places, co, ci], 1);
    const before = normal([co, ci, 3, 3], 2);
    const turnedG = grid(3, side, (i, j) => matrices[tile].G[j]![i]!);
    const data = new Float64Array(co * ci * 9);
    for (let pair = 0; pair < co * ci; pair++) {
      const p = grid(side, side, (i, j) =>
        [0, 1, 2].reduce((sum, part) => sum + sums.data[(part * places + side * i + j) * co * ci + pair]!, 0),
      );
      const dg = between(turnedG, p);
      for (let k = 0; k < 9; k++)
        data[pair * 9 + k] = dg[Math.floor(k / 3)]![k % 3]! + useBefore * before.data[pair * 9 + k]!;
    }
    const shape = [co, ci, 3, 3];
    const sizes = { parts, co, ci, useBefore };
    const { dw } = await launched(winogradWeightGrad, { tile }, { sums, before }, { dw: shape }, sizes);
    expectNear(dw!, { shape, data }, { terms: 3 * places });
  },
);

/** What `fn` computes with Winograd's way taken for its convolution. */
async function byWinograd(
  tile: WinogradTile,
  fn: () => Tensor,
  family = "conv2d",
  expected = ["winograd_weight", "winograd_input", "winograd_output"],
): Promise<ArrayLike<number>> {
  const kernels: string[] = [];
  const y = engine.choices.forcing(family, { kernel: "winograd", tile }, () => {
    engine.dry(fn, ({ program }) => kernels.push(program.kernel.name));
    return engine.scope(fn);
  });
  expect(kernels.filter((name) => /conv|winograd/.test(name))).toEqual(expected);
  const values = await y.data();
  y.dispose();
  return values;
}

const largest = ({ data }: Array64): number => data.reduce((top, v) => Math.max(top, Math.abs(v)), 0);

describe.each(winogradTileSizes)("the whole, tiles of %i", (tile) => {
  test.each([
    { n: 2, ci: 17, co: 18, h: 9, w: 13, padding: [1, 1, 1, 1], dilation: [1, 1] },
    { n: 3, ci: 16, co: 21, h: 12, w: 8, padding: [2, 2, 3, 3], dilation: [2, 3] },
    { n: 1, ci: 20, co: 16, h: 10, w: 16, padding: [0, 1, -1, 2], dilation: [1, 1] },
    { n: 2, ci: 16, co: 16, h: 3, w: 2, padding: [1, 1, 1, 1], dilation: [1, 1] },
    { n: 3, ci: 12, co: 20, h: 5, w: 8, padding: [1, 1, 1, 1], dilation: [1, 1] },
    { n: 1, ci: 9, co: 17, h: 6, w: 16, padding: [2, 2, 2, 2], dilation: [2, 2] },
    { n: 2, ci: 12, co: 16, h: 7, w: 14, padding: [2, 2, 2, 1], dilation: [1, 2] },
    { n: 2, ci: 16, co: 12, h: 9, w: 48, padding: [4, 3, 4, 4], dilation: [4, 4] },
  ] as const)("$ci -> $co, $h x $w, padding $padding, dilation $dilation", async (c) => {
    const attrs = { stride: [1, 1], padding: c.padding, dilation: c.dilation } as const;
    const [x, w] = [normal([c.n, c.ci, c.h, c.w], 1), normal([c.co, c.ci, 3, 3], 2)];
    const bias = normal([c.co], 3);
    const expected = oracle.conv2d(x, w, bias, attrs);
    const residual = normal(expected.shape, 4);
    const options = { padding: c.padding, dilation: c.dilation };
    const [xs, ws, bs, rs] = [x, w, bias, residual].map((t) => upload(t)) as [Tensor, Tensor, Tensor, Tensor];
    // A tile mixes 16 inputs: what rounding is relative to is the largest sum of magnitudes, not each element's own.
    const magnitude = largest(oracle.conv2d(map(x, Math.abs), map(w, Math.abs), map(bias, Math.abs), attrs));
    const terms = 9 * c.ci;
    const y = await byWinograd(tile, () => conv2d(xs, ws, bs, options));
    expectNear(y, expected, { terms, magnitude }, "forward");
    const ended = await byWinograd(tile, () =>
      conv2d(xs, ws, bs, { ...options, residual: rs, rescale: 0.7 }),
    );
    expectNear(ended, oracle.addRescaled(expected, residual, 0.7), { terms, magnitude }, "with its end");
    const inputSize = [c.h, c.w] as const;
    const dx = await byWinograd(tile, () => conv2dInputGrad(rs, ws, { ...attrs, inputSize }));
    const back = oracle.conv2dInputGrad(residual, w, { ...attrs, inputSize });
    const backMagnitude = largest(
      oracle.conv2dInputGrad(map(residual, Math.abs), map(w, Math.abs), { ...attrs, inputSize }),
    );
    expectNear(dx, back, { terms: 9 * c.co, magnitude: backMagnitude }, "input gradient");
    const kernelSize = [3, 3] as const;
    const dw = oracle.conv2dWeightGrad(residual, x, { ...attrs, kernelSize });
    const dwMagnitude = largest(
      oracle.conv2dWeightGrad(map(residual, Math.abs), map(x, Math.abs), { ...attrs, kernelSize }),
    );
    const [, , oh, ow] = expected.shape as [number, number, number, number];
    for (const kind of ["cpu", "gpu"] as const) {
      const got = await choosingFor({ kind }, () =>
        byWinograd(tile, () => conv2dWeightGrad(rs, xs, { ...attrs, kernelSize }), "conv2d_weight_grad", [
          "winograd_input",
          "winograd_output_grad",
          "winograd_weight_grad",
        ]),
      );
      expectNear(got, dw, { terms: c.n * oh * ow, magnitude: dwMagnitude }, `weight gradient, ${kind}`);
    }
    for (const t of [xs, ws, bs, rs]) t.dispose();
  });

  test.each([8, 7])(
    "an image's numbers are the same alone and beside others, to the last bit: 8 x %i",
    async (wide) => {
      const x = normal([5, 16, 8, wide], 1);
      const each = 16 * 8 * wide;
      const [all, one, w] = [x, { shape: [1, 16, 8, wide], data: x.data.slice(3 * each, 4 * each) }]
        .map((t) => upload(t))
        .concat(upload(normal([16, 16, 3, 3], 2))) as [Tensor, Tensor, Tensor];
      const bias = upload(normal([16], 3)); // where a compiler adds it, sums round
      const turns = [all, one].map((t) => {
        const seen: unknown[] = [];
        engine.choices.forcing("conv2d", { kernel: "winograd", tile }, () =>
          engine.dry(
            () => conv2d(t, w, bias, { padding: 1 }),
            ({ program }) => {
              if (program.kernel.name === winogradOutput.name) seen.push(program.variant);
            },
          ),
        );
        return seen;
      });
      if (engine.hardware.kind === "cpu" && tile === 4)
        expect(turns, "few tiles are rows of the product, many its columns").toMatchObject([
          [{ turned: false }],
          [{ turned: true }],
        ]);
      const together = await byWinograd(tile, () => conv2d(all, w, bias, { padding: 1 }));
      const alone = await byWinograd(tile, () => conv2d(one, w, bias, { padding: 1 }));
      expect(Array.from(alone)).toEqual(Array.from(together).slice(3 * each, 4 * each));
      for (const t of [all, one, w, bias]) t.dispose();
    },
  );
});

test.each(winogradTileSizes)("the operations told are those of a direct convolution, tiles of %i", (tile) => {
  const [x, w, dy] = [
    [2, 16, 8, 8],
    [20, 16, 3, 3],
    [2, 20, 8, 8],
  ].map((shape) => upload(normal(shape, 1))) as [Tensor, Tensor, Tensor];
  const attrs = { stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1], kernelSize: [3, 3] } as const;
  const passes = {
    conv2d: () => conv2d(x, w, undefined, { padding: 1 }),
    conv2d_weight_grad: () => conv2dWeightGrad(dy, x, attrs),
  };
  for (const [family, pass] of Object.entries(passes)) {
    let flops = 0;
    engine.choices.forcing(family, { kernel: "winograd", tile }, () =>
      engine.dry(pass, (launch) => (flops += flopsOf(launch))),
    );
    expect(flops, family).toBe(2 * 2 * 16 * 20 * 8 * 8 * 9);
  }
  for (const t of [x, w, dy]) t.dispose();
});

test.runIf(engine.device.features.has("shader-f16")).each(winogradTileSizes)(
  "inputs stored as f16 are computed on in f32, tiles of %i",
  async (tile) => {
    const shape = [2, 16, 7, 9];
    const x = map(normal(shape, 1), (v) => Math.round(8 * v) / 8); // which f16 holds
    const w = normal([16, 16, 3, 3], 2);
    const attrs = { stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1] } as const;
    const [stored, ws] = [cast(upload(x), "f16"), upload(w)];
    const y = await byWinograd(tile, () => conv2d(stored, ws, undefined, { padding: 1 }));
    const magnitude = largest(oracle.conv2d(map(x, Math.abs), map(w, Math.abs), null, attrs));
    expectNear(y, oracle.conv2d(x, w, null, attrs), { terms: 9 * 16, magnitude });
    for (const t of [stored, ws]) t.dispose();
  },
);

test.each([64, 256])(
  "tiles of 4 err less than three times as much as a direct sum of %i channels",
  async (c) => {
    const [x, w] = [normal([1, c, 8, 8], 1), normal([8, c, 3, 3], 2)];
    const attrs = { stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1] } as const;
    const exact = oracle.conv2d(x, w, null, attrs).data;
    const [xs, ws] = [upload(x), upload(w)];
    const convolved = () => conv2d(xs, ws, undefined, { padding: 1 });
    const error = (y: ArrayLike<number>) =>
      Math.sqrt(
        exact.reduce((sum, v, i) => sum + (y[i]! - v) ** 2, 0) / exact.reduce((sum, v) => sum + v ** 2, 0),
      );
    const rows = { kernel: "rows", ...convTile(engine.hardware, { ci: c, co: 8, ow: 8 }) };
    const direct = engine.choices.forcing("conv2d", rows, () => engine.scope(convolved));
    const byRows = error(await direct.data());
    expect(byRows).toBeGreaterThan(0);
    expect(error(await byWinograd(4, convolved))).toBeLessThan(3 * byRows);
    for (const t of [xs, ws, direct]) t.dispose();
  },
);
