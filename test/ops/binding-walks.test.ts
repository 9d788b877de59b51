/** What ops bind on the way, of tensors that fit into a binding each: walked through, nothing is computed. */
import { describe, expect, test } from "vitest";
import { conv2dWeightGrad } from "../../engine/ops/conv2d.ts";
import {
  add,
  attention,
  avgPool2d,
  cast,
  concat,
  conv2d,
  convTranspose2d,
  embedding,
  groupNorm,
  instanceNormPlus,
  matmul,
  max,
  maxPool2d,
  mul,
  pad,
  permute,
  resizeBilinear,
  resizeNearest,
  softmax,
  sum,
  upfirdn2d,
} from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { matrixHeld } from "../../kernels/conv-matrix.ts";
import { type ConvProblem, convWay, convWays } from "../../kernels/conv-ways.ts";
import { convWeightWay, convWeightWays } from "../../kernels/conv-weight-ways.ts";
import type { Hardware, Variant } from "../../kernels/kernel.ts";
import { attrs, choosingFor, engine, LIMIT, plain, walked } from "../support/small-binding.ts";
import { forwardAndBack, type Use } from "../support/walks.ts";

test.each([2, 4] as const)("transforms by tiles of %i, up to the largest that fit", (tile) => {
  const hw = { ...engine.hardware, kind: "gpu" } as const;
  const fits = (p: ConvProblem) =>
    convWays(hw, p).some((way) => way.kernel === "winograd" && way.tile === tile);
  const way = { kernel: "winograd", tile };
  for (const [ci, co] of [
    [8, 9],
    [9, 8],
  ] as const) {
    const p = (width: number): ConvProblem => ({ ...plain, n: 1, ci, co, oh: tile, ow: width * tile });
    const widths = Array.from({ length: 150 }, (_, i) => i + 1).filter((width) => fits(p(width)));
    expect(widths.length).toBeLessThan(150);
    for (const width of widths) {
      const n = Math.min(7, Math.floor(LIMIT / (4 * 9 * width * tile ** 2)));
      const [x, dy] = [
        [n, ci, tile, width * tile],
        [n, co, tile, width * tile],
      ];
      const forward = walked(() =>
        engine.choices.forcing("conv2d", way, () =>
          conv2d(engine.empty(x), engine.empty([co, ci, 3, 3]), undefined, { padding: 1 }),
        ),
      );
      const back = walked(() =>
        engine.choices.forcing("conv2d_weight_grad", way, () =>
          conv2dWeightGrad(engine.empty(dy), engine.empty(x), { ...attrs, kernelSize: [3, 3] }),
        ),
      );
      for (const { bound, kernels } of [forward, back]) {
        expect(kernels).toContain("winograd_input");
        expect(bound, `${width} across`).toBeLessThanOrEqual(LIMIT);
      }
    }
  }
});

describe("matrix units", () => {
  const matrix = { m: 16, n: 16, k: 16, lanes: 32 };
  const units = { kind: "gpu", maxWorkgroupSize: 1024, maxWorkgroupStorage: 49_152, matrix } as const;
  const half = (shape: readonly number[]) => cast(engine.empty(shape), "f16");

  test.each([
    [14, 8],
    [5, 40], // by slabs of 64
  ])("take %i images of %i channels in turns where their rows of these would not fit", (n, ci) => {
    const run = () => conv2d(half([n, ci, 10, 10]), engine.empty([9, ci, 3, 3]), undefined, { padding: 1 });
    const { bound, kernels } = choosingFor(units, () => walked(run));
    expect(kernels.filter((name) => name === "conv_matrix").length).toBe(2);
    expect(bound).toBeLessThanOrEqual(LIMIT);
  });

  test("a convolution of which an image's or the weights' would not fit is none for them", () => {
    const problem = (change: Partial<ConvProblem>): ConvProblem => ({
      ...{
        n: 1,
        ci: 8,
        co: 8,
        oh: 8,
        ow: 8,
        kernel: [3, 3],
        stuffing: [1, 1],
        flip: false,
        half: true,
        attrs,
      },
      ...change,
    });
    const hw: Hardware = { ...engine.hardware, ...units };
    const kernels = (p: ConvProblem) => [convWay(hw, p), ...convWays(hw, p)].map(({ kernel }) => kernel);
    expect(convWay(hw, problem({})).kernel).toBe("matrix");
    expect(convWay(hw, problem({ n: 1000 })).kernel).toBe("matrix");
    expect(kernels(problem({ oh: 40, ow: 40 }))).not.toContain("matrix"); // 42 x 42 x 64 bytes
    expect(kernels(problem({ ci: 64, co: 64 }))).not.toContain("matrix"); // 9 x 64 x 128 bytes
    expect(matrixHeld(hw, { ci: 64, co: 56, taps: 9, pixels: 100 })).toBe(true);
  });

  test("products of weights and activations likewise", () => {
    const product = (m: number, n: number, batch: number, k = 16) =>
      choosingFor(units, () => walked(() => matmul(engine.empty([m, k]), half([batch, k, n]))));
    const inTurns = product(8, 100, 20);
    expect(inTurns.kernels.filter((name) => name === "conv_matrix").length).toBe(2);
    expect(inTurns.bound).toBeLessThanOrEqual(LIMIT);
    expect(product(8, 1025, 1).kernels).not.toContain("conv_matrix");
    expect(product(1025, 8, 1, 8).kernels).not.toContain("conv_matrix");
    for (const batch of [1, 2]) {
      const { kernels, bound } = product(600, 8, batch);
      expect(kernels).toContain("conv_matrix");
      expect(bound).toBeLessThanOrEqual(LIMIT);
    }
  });
});

test.each(["cpu", "gpu"] as const)("every way that is worth measuring can be run: %s", (kind) => {
  const sizes = [
    [1, 8, 8, 45],
    [1, 16, 3, 30],
    [1, 4, 16, 31],
    [4, 4, 4, 30],
    [4, 8, 8, 22],
    [9, 3, 12, 12],
  ] as const;
  const bound = (family: string, way: Variant, fn: () => Tensor) =>
    walked(() => engine.choices.forcing(family, way, fn)).bound;
  choosingFor({ kind }, () => {
    for (const [n, ci, co, side] of sizes)
      for (const step of [1, 2] as const) {
        const hw = engine.hardware;
        const [oh, ow] = [Math.ceil(side / step), Math.ceil(side / step)];
        const [x, dy] = [
          [n, ci, side, side],
          [n, co, oh, ow],
        ];
        const around = { ...attrs, stride: [step, step] } as const;
        const p: ConvProblem = { ...plain, n, ci, co, oh, ow, attrs: around };
        for (const way of [convWay(hw, p), ...convWays(hw, p)])
          expect(
            bound("conv2d", way, () =>
              conv2d(engine.empty(x), engine.empty([co, ci, 3, 3]), undefined, { padding: 1, stride: step }),
            ),
            `${JSON.stringify(way)} of ${x}`,
          ).toBeLessThanOrEqual(LIMIT);
        const sums = { n, ci, co, kh: 3, kw: 3, size: [oh, ow], ...around } as const;
        for (const way of [convWeightWay(hw, sums), ...convWeightWays(hw, sums)])
          expect(
            bound("conv2d_weight_grad", way, () =>
              conv2dWeightGrad(engine.empty(dy), engine.empty(x), { ...around, kernelSize: [3, 3] }),
            ),
            `${JSON.stringify(way)} of ${x}`,
          ).toBeLessThanOrEqual(LIMIT);
      }
  });
});

/** Tensors of nearly 64 KiB, with odd lengths, and what is done to them. */
const uses: Record<string, Use> = {
  sum: [[[16_001]], (x) => sum(x)],
  "sum of columns": [[[5333, 3]], (x) => sum(x, { axis: 0 })],
  max: [[[3, 5333]], (x) => max(x, { axis: 1 })],
  softmax: [[[5333, 3]], softmax],
  add: [
    [
      [3, 5333],
      [3, 1],
    ],
    add,
  ], // broadcast
  "outer product": [
    [
      [125, 1],
      [1, 131],
    ],
    mul,
  ], // larger than both
  permute: [[[127, 129]], (x) => permute(x, [1, 0])],
  concat: [
    [
      [2, 4000],
      [2, 4000],
    ],
    (x, y) => concat([x, y], 1),
  ],
  pad: [
    [[2, 4001]],
    (x) =>
      pad(x, [
        [0, 0],
        [1, 3000],
      ]),
  ],
  "group norm": [[[5, 8, 20, 20], [8], [8]], (x, gamma, beta) => groupNorm(x, 4, { gamma, beta })],
  "instance norm": [[[5, 8, 19, 21], [8], [8]], (x, gamma, beta) => instanceNormPlus(x, { gamma, beta })],
  "average pool": [[[5, 8, 20, 20]], (x) => avgPool2d(x, { kernel: 2 })],
  "sliding pool": [[[5, 8, 20, 20]], (x) => avgPool2d(x, { kernel: 5, stride: 1, padding: 2 })],
  "max pool": [[[5, 8, 20, 20]], (x) => maxPool2d(x, { kernel: 5, stride: 1, padding: 2 })],
  "nearest pixels": [[[5, 8, 10, 10]], (x) => resizeNearest(x, [20, 20])],
  "bilinear pixels": [[[5, 8, 10, 10]], (x) => resizeBilinear(x, [20, 20])],
  filter: [[[5, 8, 10, 10]], (x) => upfirdn2d(x, engine.empty([4, 4]), { up: 2, pad: [2, 1] })],
  "products of a batch": [
    [
      [60, 1, 5, 9],
      [1, 3, 9, 3],
    ],
    (a, b) => matmul(a, b),
  ],
  linear: [
    [
      [5000, 3],
      [3, 3],
    ],
    (a, b) => matmul(a, b, { transposeB: true }),
  ],
  "linear with a bias": [[[5000, 3], [3, 3], [3]], (a, b, bias) => matmul(a, b, { transposeB: true, bias })],
  attention: [
    [
      [2, 3, 125],
      [2, 3, 130],
      [2, 3, 130],
    ],
    attention,
  ],
  "attention to one": [
    [
      [2, 3, 2500],
      [2, 3, 1],
      [2, 3, 1],
    ],
    attention,
  ],
  "attention of one": [
    [
      [2, 3, 1],
      [2, 3, 2500],
      [2, 3, 2500],
    ],
    attention,
  ],
  embedding: [[[10, 100]], (table) => embedding(table, engine.empty([160], "i32"))],
  "1x1 convolution": [
    [
      [64, 10, 5, 5],
      [10, 10, 1, 1],
    ],
    (x, w) => conv2d(x, w),
  ],
  "1x1 convolution with a bias for each image": [
    [
      [64, 10, 5, 5],
      [10, 10, 1, 1],
      [64, 10],
    ],
    (x, w, bias) => conv2d(x, w, bias),
  ],
  "1x1 convolution of a pixel": [
    [
      [1600, 10, 1, 1],
      [10, 10, 1, 1],
    ],
    (x, w) => conv2d(x, w),
  ],
  "dilated convolution": [
    [
      [4, 8, 22, 22],
      [8, 8, 3, 3],
    ],
    (x, w) => conv2d(x, w, undefined, { padding: 4, dilation: 4 }),
  ],
  "transposed convolution": [
    [
      [4, 8, 11, 11],
      [8, 8, 3, 3],
    ],
    (x, w) => convTranspose2d(x, w, undefined, { padding: 1, stride: 2 }),
  ],
  "few channels": [
    [
      [1, 3, 70, 70],
      [3, 3, 3, 3],
    ],
    (x, w) => conv2d(x, w, undefined, { padding: 1 }),
  ],
};

describe.each(["cpu", "gpu"] as const)("what fits goes through forward and back: %s", (kind) => {
  test.each(Object.entries(uses))("%s", (_, use) => {
    const both = () => {
      const y = forwardAndBack(engine, use);
      expect(y.requiresGrad).toBe(true);
      expect(4 * y.size).toBeLessThanOrEqual(LIMIT);
      return y;
    };
    expect(choosingFor({ kind }, () => walked(() => engine.scope(both))).bound).toBeLessThanOrEqual(LIMIT);
  });
});
