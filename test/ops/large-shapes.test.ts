/**
 * Tensors of almost 4 GiB, the most that an adapter binds, walked through: no dispatch is longer than WebGPU allows, no
 * parameter larger than its type, and no more arrays are bound than every adapter has room for.
 */
import { describe, expect, test } from "vitest";
import { defaultLimits } from "../../engine/hardware.ts";
import {
  add,
  attention,
  avgPool2d,
  cast,
  conv2d,
  elu,
  groupNorm,
  matmul,
  max,
  maxPool2d,
  permute,
  resizeBilinear,
  resizeNearest,
  softmax,
  sum,
  upfirdn2d,
} from "../../engine/ops/index.ts";
import { randn } from "../../engine/random.ts";
import { numberOf } from "../../engine/scalar.ts";
import { MAX_GROUPS } from "../../kernels/kernel.ts";
import { choosingFor, engine } from "../support/engine.ts";
import { forwardAndBack, type Use } from "../support/walks.ts";

const MOST = 2 ** 32 - 16;
const images = [1023, 1024, 32, 32];
const half = [1023, 1024, 16, 16];
const empty = (...shape: number[]) => engine.empty(shape);

const uses: Record<string, Use> = {
  elu: [[images], (x) => elu(x)],
  "sum of all": [[images], (x) => sum(x)],
  "sum of rows": [[[2 ** 28 - 1, 4]], (x) => sum(x, { axis: 1 })],
  "sum of columns": [[[3, 2 ** 28]], (x) => sum(x, { axis: 0 })],
  max: [[[2 ** 28 - 1, 4]], (x) => max(x, { axis: 1 })],
  "softmax of many": [[[2 ** 28 - 1, 4]], softmax],
  "softmax of long": [[[3, 2 ** 28]], softmax],
  "a channel's bias": [[images, [1024, 1, 1]], add],
  permute: [[[2 ** 15, 2 ** 15 - 1]], (x) => permute(x, [1, 0])],
  "group norm": [[images, [1024], [1024]], (x, gamma, beta) => groupNorm(x, 32, { gamma, beta })],
  "norm of small maps": [
    [[2 ** 17, 1024, 2, 2], [1024], [1024]],
    (x, gamma, beta) => groupNorm(x, 64, { gamma, beta }),
  ],
  "average pool": [[images], (x) => avgPool2d(x, { kernel: 2 })],
  "sliding pool": [[images], (x) => avgPool2d(x, { kernel: 5, stride: 1, padding: 2 })],
  "max pool": [[images], (x) => maxPool2d(x, { kernel: 2 })],
  "nearest pixels": [[half], (x) => resizeNearest(x, [32, 32])],
  "bilinear pixels": [[half], (x) => resizeBilinear(x, [32, 32])],
  filter: [[half], (x) => upfirdn2d(x, empty(4, 4), { up: 2, pad: [2, 1] })],
  product: [
    [
      [2 ** 15 - 1, 2 ** 15],
      [2 ** 15, 2 ** 15 - 1],
    ],
    (a, b) => matmul(a, b),
  ],
  "product of a tall matrix": [
    [
      [2 ** 28 - 1, 4],
      [4, 4],
    ],
    (a, b) => matmul(a, b),
  ],
  "products of many with a bias each": [
    [
      [2 ** 28 - 1, 2, 2],
      [2 ** 28 - 1, 2, 2],
      [2 ** 28 - 1, 2],
    ],
    (a, b, bias) => matmul(a, b, { bias, biasAlong: "rows" }),
  ],
  "products of many": [
    [
      [2 ** 28 - 1, 2, 2],
      [2 ** 28 - 1, 2, 2],
    ],
    (a, b) => matmul(a, b),
  ],
  "attention over many": [
    [
      [63, 64, 2 ** 16],
      [63, 64, 2 ** 16],
      [63, 64, 2 ** 16],
    ],
    attention,
  ],
  "attention of many": [
    [
      [1001, 16, 256],
      [1001, 16, 256],
      [1001, 16, 256],
    ],
    attention,
  ],
  convolution: [[images, [1024, 1024, 3, 3]], (x, w) => conv2d(x, w, undefined, { padding: 1 })],
  "convolution of stride 2": [
    [images, [16, 1024, 3, 3]],
    (x, w) => conv2d(x, w, undefined, { padding: 1, stride: 2 }),
  ],
  "convolution of few channels": [
    [
      [1000, 1, 1024, 1024],
      [1, 1, 3, 3],
    ],
    (x, w) => conv2d(x, w, undefined, { padding: 1 }),
  ],
  "convolution of one image": [
    [
      [1, 1, 2 ** 15, 2 ** 15 - 8],
      [1, 1, 3, 3],
    ],
    (x, w) => conv2d(x, w, undefined, { padding: 1 }),
  ],
  "convolution 1x1": [[images, [1024, 1024, 1, 1]], (x, w) => conv2d(x, w)],
  "convolution of f16": [
    [images, [16, 1024, 3, 3]],
    (x, w) => engine.autocast(() => conv2d(cast(x, "f16"), w, undefined, { padding: 1 })),
  ],
  draws: [[[1]], () => randn(engine, images, { seed: 1, purpose: "user" })],
};

const allowed = {
  u32: [0, 2 ** 32 - 1],
  i32: [-(2 ** 31), 2 ** 31 - 1],
  f32: [-Infinity, Infinity],
} as const;

const halves = engine.device.features.has("shader-f16");

describe.each(["cpu", "gpu"] as const)("%s", (kind) => {
  for (const [name, use] of Object.entries(uses))
    test.runIf(halves || !name.includes("f16"))(name, () => walk(kind, use));
});

function walk(kind: "cpu" | "gpu", use: Use): void {
  choosingFor({ kind, maxBinding: MOST }, () => {
    const both = () => forwardAndBack(engine, use);
    const wrong = new Set<string>();
    engine.dry(both, ({ program: { kernel, variant, label }, params, tensors, inPieces }) => {
      const numbers: Record<string, number> = {};
      for (const [name, type] of Object.entries(kernel.params)) {
        const value = numberOf(params[name]!);
        const [least, most] = allowed[type];
        const whole = type === "f32" || Number.isInteger(value);
        if (!(value >= least && value <= most && whole)) wrong.add(`${label}: ${name} is ${value}`);
        numbers[name] = value;
      }
      const groups = kernel.dispatch(numbers, variant);
      if (!groups.every((count) => Number.isInteger(count) && count >= 1 && count <= MAX_GROUPS))
        wrong.add(`${label}: ${groups} workgroups`);
      const bound = Object.keys(kernel.bindings(variant));
      if (bound.length > defaultLimits.maxStorageBuffersPerShaderStage)
        wrong.add(`${label}: ${bound.length} arrays`);
      for (const name of bound)
        if (!inPieces && tensors[name]!.storage.bytes > MOST)
          wrong.add(`${label}: ${name} of ${tensors[name]!.storage.bytes} bytes`);
    });
    expect([...wrong]).toEqual([]);
  });
}
