/** A convolution as a matrix product of gathered inputs, whole, against the float64 loops. */
import { expect, test } from "vitest";
import { conv2d, conv2dInputGrad } from "../../engine/ops/conv2d.ts";
import { type Array64, map } from "../../engine/oracle/array.ts";
import * as oracle from "../../engine/oracle/conv2d.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { convGemmWeight } from "../../kernels/conv-gemm.ts";
import { type ConvProblem, convWays } from "../../kernels/conv-ways.ts";
import type { Tile } from "../../kernels/tile.ts";
import { sharedTiles, testedTiles } from "../../kernels/tile-choice.ts";
import { upload } from "../support/check-op.ts";
import { type ConvCase, convCase, lopsided, productCases } from "../support/conv-cases.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";
import { expectPacks, packShapes } from "../support/packs.ts";

async function byGemm(variant: Tile, fn: () => Tensor, kernel = "conv_gemm"): Promise<ArrayLike<number>> {
  const kernels: string[] = [];
  const y = engine.choices.forcing("conv2d", { kernel: "gemm", ...variant }, () => {
    engine.dry(fn, ({ program }) => kernels.push(program.kernel.name));
    return engine.scope(fn);
  });
  expect(kernels.filter((name) => /conv|matmul/.test(name))).toEqual(["conv_gemm_weight", kernel]);
  const values = await y.data();
  y.dispose();
  return values;
}

/** Beyond one tile of 64 both ways, and beyond a slab. */
const across = convCase({ n: 2, ci: 17, co: 70, size: [6, 6] });

const cases = [
  productCases.odd,
  convCase({ n: 1, ci: 3, co: 70, size: [10, 9], ...lopsided }),
  convCase({ n: 3, ci: 4, co: 2, size: [8, 8], kernel: [1, 1], stride: [2, 1], padding: [0, 0, 0, 0] }),
  productCases.cropped,
];

async function check(tile: Tile, c: ConvCase, ends: boolean): Promise<void> {
  const { stride, padding, dilation, kernel, size } = c;
  const attrs = { stride, padding, dilation } as const;
  const [x, w] = [normal([c.n, c.ci, ...size], 1), normal([c.co, c.ci, ...kernel], 2)];
  const terms = c.ci * kernel[0] * kernel[1];
  const magnitude = oracle.conv2d(map(x, Math.abs), map(w, Math.abs), null, attrs);
  const plain = oracle.conv2d(x, w, null, attrs);
  const [xs, ws] = [upload(x), upload(w)];
  expectNear(await byGemm(tile, () => conv2d(xs, ws, undefined, attrs)), plain, { terms, magnitude });
  if (ends) {
    const [residual, bias] = [normal(plain.shape, 3), normal([c.n, c.co], 4)];
    const [rs, bs] = [upload(residual), upload(bias)];
    const ended = await byGemm(tile, () => conv2d(xs, ws, bs, { ...attrs, residual: rs, rescale: 0.7 }));
    const sizes = { ...magnitude, data: magnitude.data.map((m) => m + 8) };
    const expected = oracle.addRescaled(oracle.conv2d(x, w, bias, attrs), residual, 0.7);
    expectNear(ended, expected, { terms, magnitude: sizes }, "with its end");

    const full = { ...attrs, inputSize: size };
    const strided = stride[0] * stride[1] > 1;
    const dx = await byGemm(tile, () => conv2dInputGrad(rs, ws, full), strided ? "conv_phases" : "conv_gemm");
    const largest = oracle.conv2dInputGrad(map(residual, Math.abs), map(w, Math.abs), full);
    const back = { terms: c.co * kernel[0] * kernel[1], magnitude: largest };
    expectNear(dx, oracle.conv2dInputGrad(residual, w, full), back, "input gradient");
    for (const t of [rs, bs]) t.dispose();
  }
  for (const t of [xs, ws]) t.dispose();
}

test.each(cases)("$ci -> $co, kernel $kernel, stride $stride, padding $padding, dilation $dilation", (c) =>
  check(testedTiles[0]!, c, true),
);

test.each(testedTiles.slice(1))(
  "tiles of $rows x $columns, slabs of $slab, $eachRows x $eachColumns a thread, written out $written",
  (tile) => check(tile, across, false),
);

test("is worth measuring on a GPU, in tiles that it can hold", () => {
  const problem: ConvProblem = {
    ...{ n: 1, ci: 8, co: 8, oh: 8, ow: 8 },
    kernel: [3, 3],
    stuffing: [1, 1],
    attrs: { stride: [1, 1], dilation: [1, 1] },
    flip: false,
    half: false,
  };
  const gemms = (hw: Partial<typeof engine.hardware>) =>
    convWays({ ...engine.hardware, ...hw }, problem).filter(({ kernel }) => kernel === "gemm");
  expect(gemms({ kind: "cpu" })).toEqual([]);
  expect(gemms({ kind: "gpu", maxWorkgroupStorage: 32_768 })).toHaveLength(sharedTiles.length);
  expect(gemms({ kind: "gpu", writesOut: true, maxWorkgroupSize: 64, maxWorkgroupStorage: 16_384 })).toEqual([
    ...sharedTiles.filter((v) => v.rows <= 64 && v.slab === 16).map((v) => ({ kernel: "gemm", ...v })),
  ]);
});

test.each(convGemmWeight.variants)("packed weight, flip $flip", async (variant) => {
  for (const shape of packShapes) {
    const [w, [co, ci, kh, kw]] = [normal(shape, 1), shape];
    const taps = kh * kw;
    const packed = (flip: boolean): Array64 => {
      const [inner, outer] = flip ? [co, ci] : [ci, co];
      const pitch = Math.ceil(outer / 4) * 4;
      const data = new Float64Array(taps * inner * pitch);
      for (let t = 0; t < taps; t++)
        for (let i = 0; i < inner; i++)
          for (let o = 0; o < outer; o++)
            data[(t * inner + i) * pitch + o] =
              w.data[(flip ? i * ci + o : o * ci + i) * taps + (flip ? taps - 1 - t : t)]!;
      return { shape: [taps, inner, pitch], data };
    };
    await expectPacks(convGemmWeight, variant, { pack: "y", w, packed, params: { co, ci, taps } });
  }
});
