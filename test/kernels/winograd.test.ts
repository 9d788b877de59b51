/** Winograd's F(2x2, 3x3): each transform against its matrices in float64, and the whole against the convolution. */
import { describe, expect, test } from "vitest";
import { conv2d, conv2dInputGrad, conv2dWeightGrad } from "../../engine/ops/conv2d.ts";
import { type Array64, map } from "../../engine/oracle/array.ts";
import * as oracle from "../../engine/oracle/conv2d.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { type ConvProblem, convWay, convWays, winogradBytes } from "../../kernels/conv-ways.ts";
import { winogradInput, winogradOutput, winogradTiles, winogradWeight } from "../../kernels/winograd.ts";
import { winogradOutputGrad, winogradWeightGrad } from "../../kernels/winograd-grad.ts";
import { upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { launched } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

/** The matrices of Lavin & Gray 2016, section 4.1. */
const B = [
  [1, 0, -1, 0],
  [0, 1, 1, 0],
  [0, -1, 1, 0],
  [0, 1, 0, -1],
];
const G = [
  [1, 0, 0],
  [0.5, 0.5, 0.5],
  [0.5, -0.5, 0.5],
  [0, 0, 1],
];
const A = [
  [1, 1, 1, 0],
  [0, 1, -1, -1],
];

/** M X M^T. */
function between(m: number[][], x: number[][]): number[][] {
  const half = m.map((row) => x[0]!.map((_, j) => row.reduce((sum, v, k) => sum + v * x[k]![j]!, 0)));
  return half.map((row) => m.map((other) => row.reduce((sum, v, k) => sum + v * other[k]!, 0)));
}

const grid = (rows: number, columns: number, at: (i: number, j: number) => number): number[][] =>
  Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (_, j) => at(i, j)));

test.each(winogradWeight.variants)("kernels: U = G g G^T, flip $flip", async ({ flip }) => {
  const [ci, co, pitch] = [3, 6, 8];
  const w = normal(flip ? [ci, co, 3, 3] : [co, ci, 3, 3], 1);
  const expected = new Float64Array(16 * ci * pitch);
  for (let c = 0; c < ci; c++)
    for (let o = 0; o < co; o++) {
      const at = (flip ? c * co + o : o * ci + c) * 9;
      const u = between(
        G,
        grid(3, 3, (i, j) => w.data[at + (flip ? 8 - 3 * i - j : 3 * i + j)]!),
      );
      for (let k = 0; k < 16; k++) expected[(k * ci + c) * pitch + o] = u[k >> 2]![k & 3]!;
    }
  const shape = [16, ci, pitch];
  const { u } = await launched(winogradWeight, { flip }, { w }, { u: shape }, { ci, co });
  expectNear(u!, { shape, data: expected }, { terms: 9 });
});

describe.each([
  [1, 1, 19],
  [1, 1, 20],
  [2, 3, 19],
])("dilation %i, %i, rows of %i", (dilationY, dilationX, ow) => {
  const [n, channels, oh] = [3, 2, 7];
  const { lines, fours } = winogradTiles({ oh, ow, dilationY, dilationX });
  const [first, images] = [1, 2];
  const tiles = 4 * fours * lines * images;
  const params = { images, first, each: images, lines, fours, dilationY, dilationX };

  /** Calls back for each tile of an image: where its outputs start, and its place. */
  const eachTile = (visit: (image: number, y0: number, x0: number, place: number) => void) => {
    for (let image = 0; image < images; image++)
      for (let line = 0; line < lines; line++)
        for (let tile = 0; tile < 4 * fours; tile++) {
          const [four, q] = [Math.floor(tile / 4), tile % 4];
          const y0 = (line % dilationY) + Math.floor(line / dilationY) * 2 * dilationY;
          const x0 = (four % dilationX) + (Math.floor(four / dilationX) * 4 + q) * 2 * dilationX;
          visit(image, y0, x0, (image * lines + line) * fours * 4 + tile);
        }
  };

  test.each([
    [1, 2],
    [-1, 0],
  ])("tiles: V = B^T d B, %i above and %i before", async (top, left) => {
    const [height, width] = [6, 17];
    const x = normal([n, channels, height, width], 1);
    const shape = [16, channels, tiles];
    const expected = new Float64Array(16 * channels * tiles);
    for (let c = 0; c < channels; c++)
      eachTile((image, y0, x0, place) => {
        const d = grid(4, 4, (i, j) => {
          const [y, column] = [y0 + i * dilationY - top, x0 + j * dilationX - left];
          const inside = y >= 0 && y < height && column >= 0 && column < width;
          return inside ? x.data[(((first + image) * channels + c) * height + y) * width + column]! : 0;
        });
        const v = between(B, d);
        for (let k = 0; k < 16; k++) expected[(k * channels + c) * tiles + place] = v[k >> 2]![k & 3]!;
      });
    const sizes = { ...params, ci: channels, height, width, top, left };
    const { v } = await launched(winogradInput, { turned: false }, { x }, { v: shape }, sizes);
    expectNear(v!, { shape, data: expected }, { terms: 16 });
  });

  const able = winogradOutput.variants.filter(({ vec }) => !vec || (dilationX === 1 && ow % 4 === 0));
  test.each(able)("outputs: y = A^T m A, residual $residual, by vec4s $vec", async (variant) => {
    const m = normal([16, channels, tiles], 1);
    const residual = normal([n, channels, oh, ow], 2);
    for (const [useBias, biasPitch] of [
      [0, 0],
      [1, 0],
      [1, channels],
    ] as const) {
      const bias = normal(biasPitch ? [n, channels] : [channels], 3);
      const expected = new Map<number, number>();
      for (let c = 0; c < channels; c++)
        eachTile((image, y0, x0, place) => {
          const y = between(
            A,
            grid(4, 4, (i, j) => m.data[((4 * i + j) * channels + c) * tiles + place]!),
          );
          for (const [i, j] of [0, 1, 2, 3].map((k) => [k >> 1, k & 1] as const)) {
            const [row, column] = [y0 + i * dilationY, x0 + j * dilationX];
            if (row >= oh || column >= ow) continue;
            const at = (((first + image) * channels + c) * oh + row) * ow + column;
            const sum = y[i]![j]! + (useBias ? bias.data[biasPitch * (first + image) + c]! : 0);
            expected.set(at, variant.residual ? (sum + residual.data[at]!) * 0.7 : sum);
          }
        });
      expect(expected.size, "every output of the images, once").toBe(images * channels * oh * ow);
      const sizes = { ...params, co: channels, oh, ow, useBias, biasPitch, rescale: 0.7 };
      const inputs = { m, bias, ...(variant.residual && { residual }) };
      const { y } = await launched(winogradOutput, variant, inputs, { y: [n, channels, oh, ow] }, sizes);
      const places = [...expected.keys()];
      const data = Float64Array.from(expected.values());
      expectNear(
        places.map((at) => y![at]!),
        { shape: [data.length], data },
        { terms: 16 },
        `bias ${useBias}, pitch ${biasPitch}`,
      );
    }
  });
});

describe.each(winogradInput.variants)("parts of the images, channels as neighbours $turned", ({ turned }) => {
  const [n, first, images, each, channels] = [4, 1, 3, 2, 3];
  const [oh, ow, dilationY, dilationX] = [5, 11, 1, 2];
  const { lines, fours } = winogradTiles({ oh, ow, dilationY, dilationX });
  const params = { images, first, each, lines, fours, dilationY, dilationX };
  const tiles = 4 * fours * lines * each;
  const shape = turned ? [2, 16, tiles, channels] : [2, 16, channels, tiles];

  /** [2 parts, 16, ...] of what `transform` makes of each tile; the last part's second image is zeros. */
  const expected = (transform: (image: number, c: number, y0: number, x0: number) => number[][]) => {
    const data = new Float64Array(shape.reduce((a, b) => a * b));
    for (let image = 0; image < images; image++)
      for (let c = 0; c < channels; c++)
        for (let line = 0; line < lines; line++)
          for (let tile = 0; tile < 4 * fours; tile++) {
            const [four, q] = [Math.floor(tile / 4), tile % 4];
            const x0 = (four % dilationX) + (Math.floor(four / dilationX) * 4 + q) * 2 * dilationX;
            const values = transform(first + image, c, 2 * line, x0);
            const place = ((image % each) * lines + line) * 4 * fours + tile;
            for (let k = 0; k < 16; k++) {
              const start = (Math.floor(image / each) * 16 + k) * channels * tiles;
              data[start + (turned ? place * channels + c : c * tiles + place)] = values[k >> 2]![k & 3]!;
            }
          }
    return { shape, data };
  };
  const at = (t: Array64, image: number, c: number, y: number, x: number): number => {
    const [, , height, width] = t.shape as [number, number, number, number];
    const inside = y >= 0 && y < height && x >= 0 && x < width;
    return inside ? t.data[((image * channels + c) * height + y) * width + x]! : 0;
  };

  test("V = B^T d B", async () => {
    const x = normal([n, channels, 6, 9], 1);
    const sizes = { ...params, ci: channels, height: 6, width: 9, top: 1, left: 2 };
    const { v } = await launched(winogradInput, { turned }, { x }, { v: shape }, sizes);
    const tile = (image: number, c: number, y0: number, x0: number) =>
      between(
        B,
        grid(4, 4, (i, j) => at(x, image, c, y0 + i - 1, x0 + j * dilationX - 2)),
      );
    expectNear(v!, expected(tile), { terms: 16 });
  });

  test("W = A dy A^T", async () => {
    const dy = normal([n, channels, oh, ow], 1);
    const sizes = { ...params, co: channels, oh, ow };
    const { w } = await launched(winogradOutputGrad, { turned }, { dy }, { w: shape }, sizes);
    const turnedA = grid(4, 2, (i, j) => A[j]![i]!);
    const tile = (image: number, c: number, y0: number, x0: number) =>
      between(
        turnedA,
        grid(2, 2, (i, j) => at(dy, image, c, y0 + i, x0 + j * dilationX)),
      );
    expectNear(w!, expected(tile), { terms: 4 });
  });
});

test.each([0, 1])(
  "kernels: dg = G^T P G of the sum of parts, and of what came before: %i",
  async (useBefore) => {
    const [parts, co, ci] = [3, 5, 7];
    const sums = normal([parts, 16, co, ci], 1);
    const before = normal([co, ci, 3, 3], 2);
    const turnedG = grid(3, 4, (i, j) => G[j]![i]!);
    const data = new Float64Array(co * ci * 9);
    for (let pair = 0; pair < co * ci; pair++) {
      const p = grid(4, 4, (i, j) =>
        [0, 1, 2].reduce((sum, part) => sum + sums.data[(part * 16 + 4 * i + j) * co * ci + pair]!, 0),
      );
      const dg = between(turnedG, p);
      for (let k = 0; k < 9; k++)
        data[pair * 9 + k] = dg[Math.floor(k / 3)]![k % 3]! + useBefore * before.data[pair * 9 + k]!;
    }
    const shape = [co, ci, 3, 3];
    const sizes = { parts, co, ci, useBefore };
    const { dw } = await launched(winogradWeightGrad, {}, { sums, before }, { dw: shape }, sizes);
    expectNear(dw!, { shape, data }, { terms: 48 });
  },
);

/** What `fn` computes with Winograd's way taken for its convolution. */
async function byWinograd(
  fn: () => Tensor,
  family = "conv2d",
  expected = ["winograd_weight", "winograd_input", "winograd_output"],
): Promise<ArrayLike<number>> {
  const kernels: string[] = [];
  const y = engine.choices.forcing(family, { kernel: "winograd" }, () => {
    engine.dry(fn, ({ program }) => kernels.push(program.kernel.name));
    return engine.scope(fn);
  });
  expect(kernels.filter((name) => /conv|winograd/.test(name))).toEqual(expected);
  const values = await y.data();
  y.dispose();
  return values;
}

const largest = ({ data }: Array64): number => data.reduce((top, v) => Math.max(top, Math.abs(v)), 0);

describe("the whole", () => {
  test.each([
    { n: 2, ci: 17, co: 18, h: 9, w: 13, padding: [1, 1, 1, 1], dilation: [1, 1] },
    { n: 3, ci: 16, co: 21, h: 12, w: 8, padding: [2, 2, 3, 3], dilation: [2, 3] },
    { n: 1, ci: 20, co: 16, h: 10, w: 16, padding: [0, 1, -1, 2], dilation: [1, 1] },
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
    const y = await byWinograd(() => conv2d(xs, ws, bs, options));
    expectNear(y, expected, { terms, magnitude }, "forward");
    const ended = await byWinograd(() => conv2d(xs, ws, bs, { ...options, residual: rs, rescale: 0.7 }));
    expectNear(ended, oracle.addRescaled(expected, residual, 0.7), { terms, magnitude }, "with its end");
    const inputSize = [c.h, c.w] as const;
    const dx = await byWinograd(() => conv2dInputGrad(rs, ws, { ...attrs, inputSize }));
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
      const { hardware } = engine;
      Object.assign(engine, { hardware: { ...hardware, kind } });
      try {
        const got = await byWinograd(
          () => conv2dWeightGrad(rs, xs, { ...attrs, kernelSize }),
          "conv2d_weight_grad",
          ["winograd_input", "winograd_output_grad", "winograd_weight_grad"],
        );
        expectNear(got, dw, { terms: c.n * oh * ow, magnitude: dwMagnitude }, `weight gradient, ${kind}`);
      } finally {
        Object.assign(engine, { hardware });
      }
    }
    for (const t of [xs, ws, bs, rs]) t.dispose();
  });

  test("an image's numbers are the same alone and beside others, to the last bit", async () => {
    const x = normal([5, 16, 8, 8], 1);
    const [all, one, w] = [x, { shape: [1, 16, 8, 8], data: x.data.slice(3 * 1024, 4 * 1024) }]
      .map((t) => upload(t))
      .concat(upload(normal([16, 16, 3, 3], 2))) as [Tensor, Tensor, Tensor];
    const together = await byWinograd(() => conv2d(all, w, undefined, { padding: 1 }));
    const alone = await byWinograd(() => conv2d(one, w, undefined, { padding: 1 }));
    expect(Array.from(alone)).toEqual(Array.from(together).slice(3 * 1024, 4 * 1024));
    for (const t of [all, one, w]) t.dispose();
  });
});

describe("which way", () => {
  const problem = (
    change: Partial<ConvProblem> & { dilation?: readonly [number, number] } = {},
  ): ConvProblem => ({
    n: 1,
    ci: 64,
    co: 64,
    oh: 32,
    ow: 32,
    kernel: [3, 3],
    stuffing: [1, 1],
    attrs: { stride: [1, 1], dilation: change.dilation ?? [1, 1] },
    flip: false,
    half: false,
    ...change,
  });
  const hw = { ...engine.hardware, kind: "cpu", maxBinding: 2 ** 27 } as const;
  const usual = (p: ConvProblem) => convWay(hw, p).kernel;

  test("Winograd's for 3x3 of stride 1 with channels enough, where its tiles fit the image and its values a binding", () => {
    expect(usual(problem())).toBe("winograd");
    expect(usual(problem({ dilation: [2, 2] }))).toBe("winograd");
    expect(usual(problem({ ci: 3 }))).toBe("rows");
    expect(usual(problem({ co: 1 }))).toBe("rows");
    expect(usual(problem({ kernel: [1, 1] }))).toBe("rows");
    expect(usual(problem({ stuffing: [2, 2] }))).toBe("rows");
    expect(usual(problem({ oh: 3, ow: 3 }))).toBe("rows");
    expect(winogradBytes(problem({ oh: 512, ow: 512, co: 128 }))).toBeGreaterThan(2 ** 27);
    expect(usual(problem({ oh: 512, ow: 512, co: 128 }))).toBe("rows");
    expect(usual(problem({ oh: 8, ow: 8, ci: 1408, co: 1408 }))).toBe("winograd");
    expect(usual(problem({ oh: 8, ow: 8, ci: 1536, co: 1536 }))).toBe("rows");
  });

  test("the usual one is among those worth measuring", () => {
    for (const p of [problem(), problem({ ci: 3 }), problem({ oh: 3, ow: 3 }), problem({ co: 1, ow: 4 })])
      for (const hardware of [hw, { ...hw, kind: "gpu" } as const])
        expect(convWays(hardware, p)).toContainEqual(convWay(hardware, p));
  });
});
