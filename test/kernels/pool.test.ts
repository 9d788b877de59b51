import { test } from "vitest";
import type { Padding, Pair } from "../../engine/ops/conv2d.ts";
import * as oracle from "../../engine/oracle/pool.ts";
import { averagePool, slidingMean } from "../../kernels/pool.ts";
import { normal } from "../support/draw.ts";
import { launched, showVariant } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

interface Problem {
  readonly shape: readonly [number, number, number, number];
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding: Padding;
}

/** Maps with lines shorter and longer than a run, windows that overlap, touch and leave gaps. */
const problems: readonly Problem[] = [
  { shape: [1, 1, 1, 1], kernel: [1, 1], stride: [1, 1], padding: [0, 0, 0, 0] },
  { shape: [2, 3, 6, 34], kernel: [2, 2], stride: [2, 2], padding: [0, 0, 0, 0] },
  { shape: [1, 2, 9, 37], kernel: [3, 4], stride: [2, 3], padding: [1, 2, 3, 0] },
  { shape: [3, 1, 7, 5], kernel: [5, 5], stride: [1, 1], padding: [2, 4, 4, 1] },
  { shape: [1, 3, 8, 18], kernel: [1, 2], stride: [3, 5], padding: [0, 0, 1, 1] },
];

test.each(averagePool.variants.map((v) => [showVariant(averagePool, v), v] as const))(
  "%s",
  async (_, variant) => {
    for (const { shape, ...attrs } of problems) {
      const full = { ...attrs, countIncludePad: variant.countPad };
      const { kernel, stride, padding } = attrs;
      const [n, c, height, width] = shape;
      const [, , oh, ow] = oracle.avgPool2d(normal(shape, 1), full).shape as [number, number, number, number];
      const x = normal(variant.adjoint ? [n, c, oh, ow] : shape, 1);
      const expected = variant.adjoint
        ? oracle.avgPool2dGrad(x, { ...full, inputSize: [height, width] })
        : oracle.avgPool2d(x, full);
      const params = {
        planes: n * c,
        ...{ height, width, oh, ow },
        ...{ kh: kernel[0], kw: kernel[1], strideY: stride[0], strideX: stride[1] },
        ...{ top: padding[0], left: padding[2] },
      };
      const { y } = await launched(averagePool, variant, { x }, { y: expected.shape }, params);
      expectNear(y!, expected, { terms: kernel[0] * kernel[1] }, JSON.stringify(attrs));
    }
  },
);

test.each(slidingMean.variants.map((v) => [showVariant(slidingMean, v), v] as const))(
  "%s",
  async (_, variant) => {
    const { kh, kw } = variant;
    for (const [shape, [top, bottom, left, right]] of [
      [
        [1, 1, kh, kw],
        [0, 0, 0, 0],
      ],
      [
        [2, 3, 7, 5],
        [kh - 1, 0, kw - 1, kw - 1],
      ],
      [
        [1, 2, 33, 9],
        [kh >> 1, kh >> 1, kw >> 1, kw >> 1],
      ],
    ] as const) {
      const x = normal(shape, 1);
      const padding: Padding = [top, bottom, left, right];
      const attrs = { kernel: [kh, kw], stride: [1, 1], padding, countIncludePad: true } as const;
      const expected = oracle.avgPool2d(x, attrs);
      const [n, c, height, width] = shape;
      const [oh, ow] = expected.shape.slice(2) as [number, number];
      const params = { planes: n * c, height, width, oh, ow, top, left };
      const { y } = await launched(slidingMean, variant, { x }, { y: expected.shape }, params);
      expectNear(y!, expected, { terms: kh * kw }, `${shape}`);
    }
  },
);
