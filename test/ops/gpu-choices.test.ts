/**
 * Ops choose their kernels by the kind of adapter. These are the choices for GPUs, run on whatever adapter there is:
 * shared tiles, a workgroup for each row or map, a vec4 a thread.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { conv2d } from "../../engine/ops/conv2d.ts";
import {
  add,
  attention,
  avgPool2d,
  slice as block,
  embedding,
  exp,
  groupNorm,
  instanceNormPlus,
  logsumexp,
  matmul,
  max,
  maxPool2d,
  mean,
  mul,
  narrow,
  pad,
  permute,
  resizeBilinear,
  resizeNearest,
  softmax,
  sum,
  upfirdn2d,
} from "../../engine/ops/index.ts";
import { type Array64, array64, map } from "../../engine/oracle/array.ts";
import { attention as attentionOracle } from "../../engine/oracle/attention.ts";
import { applyBinary } from "../../engine/oracle/binary.ts";
import { conv2d as convOracle } from "../../engine/oracle/conv2d.ts";
import { embedding as embeddingOracle } from "../../engine/oracle/embedding.ts";
import { matmul as matmulOracle } from "../../engine/oracle/matmul.ts";
import { norm } from "../../engine/oracle/norm.ts";
import * as pool from "../../engine/oracle/pool.ts";
import * as reduce from "../../engine/oracle/reduce.ts";
import * as resize from "../../engine/oracle/resize.ts";
import * as shape from "../../engine/oracle/shape.ts";
import { softmax as softmaxOracle } from "../../engine/oracle/softmax.ts";
import { upfirdn2d as firOracle } from "../../engine/oracle/upfirdn2d.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Hardware } from "../../kernels/kernel.ts";
import { tileBytes } from "../../kernels/tile.ts";
import { sharedTiles } from "../../kernels/tile-choice.ts";
import { checkOp, upload } from "../support/check-op.ts";
import { distinct, normal } from "../support/draw.ts";
import { choosingFor, engine } from "../support/engine.ts";

const given = engine.hardware;
const pretend = (hardware: Hardware) => Object.assign(engine, { hardware });
beforeAll(() => pretend({ ...given, kind: "gpu" }));
afterAll(() => pretend(given));

/** With room for the smallest tile alone: llvmpipe compiles each of the larger, which test/kernels has, for seconds. */
const inSmallTiles = (check: () => Promise<void>) =>
  choosingFor({ maxWorkgroupStorage: tileBytes(sharedTiles[0]!) }, check);

test("elementwise", () =>
  checkOp({
    op: (x, y) => add(mul(x!, y!), exp(x!)),
    oracle: (x, y) => applyBinary("add", applyBinary("mul", x!, y!), map(x!, Math.exp)),
    inputs: [normal([37, 5], 1), normal([37, 5], 2)],
    seed: 3,
  }));

test("one matrix of a large batch is turned around first", async () => {
  const [batch, m, n, k] = [64, 256, 256, 512];
  const [a, b] = [normal([m, k], 1), normal([batch, k, n], 2)];
  const [left, right] = [upload(a), upload(b)];
  const launched: string[] = [];
  engine.dry(
    () => matmul(left, right),
    ({ program: { kernel, variant } }) => {
      if (kernel.name !== "fill") launched.push(kernel.name);
      if (kernel.name === "matmul_shared") expect(variant).toMatchObject({ aAlongK: false });
    },
  );
  expect(launched).toEqual(["pack", "matmul_shared"]);
  const y = matmul(left, right);
  const got = await y.data();
  for (const [image, row, column] of [
    [0, 0, 0],
    [31, 77, 200],
    [63, 255, 255],
  ] as const) {
    let [sum, size] = [0, 0];
    for (let i = 0; i < k; i++) {
      const term = a.data[row * k + i]! * b.data[(image * k + i) * n + column]!;
      sum += term;
      size += Math.abs(term);
    }
    expect(Math.abs(got[(image * m + row) * n + column]! - sum)).toBeLessThan(1e-6 * size);
  }
  for (const t of [left, right, y]) t.dispose();
});

test.each([
  [false, false],
  [true, false],
  [false, true],
  [true, true],
])("matmul, transposed %s and %s", async (transposeA, transposeB) => {
  const options = { transposeA, transposeB };
  const inputs = [normal(transposeA ? [3, 9, 70] : [3, 70, 9], 1), normal(transposeB ? [67, 9] : [9, 67], 2)];
  await inSmallTiles(() =>
    checkOp({
      op: (a, b) => matmul(a!, b!, options),
      oracle: (a, b) => matmulOracle(a!, b!, options),
      inputs,
      seed: 3,
      terms: 70,
      magnitude: matmulOracle(map(inputs[0]!, Math.abs), map(inputs[1]!, Math.abs), options),
    }),
  );
});

test("reductions along the last axis, and of all", async () => {
  const x = normal([3, 700], 1);
  const magnitude = (axes: number[]) => reduce.sum(map(x, Math.abs), axes);
  await checkOp({
    op: (t) => sum(t, { axis: 1 }),
    oracle: (t) => reduce.sum(t, [1]),
    inputs: [x],
    seed: 3,
    terms: 700,
    magnitude: magnitude([1]),
  });
  await checkOp({
    op: (t) => mean(t),
    oracle: (t) => reduce.mean(t, null),
    inputs: [x],
    seed: 3,
    terms: 2100,
    magnitude: 1,
  });
  await checkOp({
    op: (t) => max(t, { axis: 1 }),
    oracle: (t) => reduce.max(t, [1]),
    inputs: [distinct([3, 300], 2)],
    seed: 3,
  });
});

test("softmax and logsumexp", async () => {
  const inputs = [normal([5, 200], 1)];
  await checkOp({ op: softmax, oracle: softmaxOracle, inputs, seed: 3, terms: 200 });
  await checkOp({ op: logsumexp, oracle: (x) => reduce.logsumexp(x, [-1]), inputs, seed: 3, terms: 200 });
});

test("attention, products in shared tiles", async () => {
  const inputs = [normal([2, 9, 10], 1), normal([2, 9, 70], 2), normal([2, 9, 70], 3)];
  await inSmallTiles(() =>
    checkOp({
      op: (q, k, v) => attention(q!, k!, v!),
      oracle: (q, k, v) => attentionOracle(q!, k!, v!, 1 / 3),
      inputs,
      seed: 3,
      terms: 9 * 70,
    }),
  );
});

test("norms", async () => {
  const inputs = [normal([2, 4, 9, 11], 1), normal([4], 2), normal([4], 3)];
  const attrs = { eps: 1e-5, activation: "silu" } as const;
  const parts = (plus: boolean, groups: number) => (x?: Array64, gamma?: Array64, beta?: Array64) =>
    norm(x!, { ...attrs, groups, plus }, gamma!, beta!, null);
  await checkOp({
    op: (x, gamma, beta) => instanceNormPlus(x!, { gamma, beta, ...attrs }),
    oracle: parts(true, 4),
    inputs,
    seed: 3,
    terms: 99,
  });
  await checkOp({
    op: (x, gamma, beta) => groupNorm(x!, 2, { gamma, beta, ...attrs }),
    oracle: parts(false, 2),
    inputs,
    seed: 4,
    terms: 198,
  });
});

test.each([
  ["maps of 16", [2, 4, 4, 4]],
  ["maps of 48, whose gradient takes two sweeps", [2, 4, 6, 8]],
])("norms that stay in a workgroup: %s", async (_, shape) => {
  const attrs = { eps: 1e-5, activation: "silu" } as const;
  const inputs = [normal(shape, 1), normal([4], 2), normal([4], 3)];
  for (const groups of [2, 4])
    await checkOp({
      op: (x, gamma, beta) => groupNorm(x!, groups, { gamma, beta, ...attrs }),
      oracle: (x, gamma, beta) => norm(x!, { ...attrs, groups, plus: false }, gamma!, beta!, null),
      inputs,
      seed: 4,
      terms: 48,
    });
  const rows = normal([2, 8], 5);
  await checkOp({
    op: (x, values) => groupNorm(x!, 2, { rows: { values: values!, order: ["beta", "gamma"] }, ...attrs }),
    oracle: (x, values) =>
      norm(x!, { ...attrs, groups: 2, plus: false }, slice(values!, 4), slice(values!, 0), null),
    inputs: [inputs[0]!, rows],
    seed: 5,
    terms: 48,
  });
});
test.runIf(given.subgroups)("norms by lanes for each map", async () => {
  const attrs = { eps: 1e-5, activation: "elu" } as const;
  const share = { lanes: 2, each: 2, maps: 2, groups: 8 };
  await engine.choices.forcing("norm", { kernel: "lanes", ...share, kept: 2 }, () =>
    engine.choices.forcing("norm_grad", { kernel: "lanes", ...share, keep: "both" }, () =>
      checkOp({
        op: (x, gamma, beta) => groupNorm(x!, 2, { gamma, beta, ...attrs }),
        oracle: (x, gamma, beta) => norm(x!, { ...attrs, groups: 2, plus: false }, gamma!, beta!, null),
        inputs: [normal([3, 4, 4, 4], 1), normal([4], 2), normal([4], 3)],
        seed: 4,
        terms: 32,
      }),
    ),
  );
});
describe.runIf(given.subgroups)("norms in two sweeps", () => {
  const attrs = { eps: 1e-5, activation: "silu" } as const;
  const kernels = (fn: () => unknown): string[] => {
    const names: string[] = [];
    engine.dry(fn, ({ program }) => names.push(program.kernel.name));
    return names.filter((name) => name !== "fill"); // what poisons new tensors
  };
  const rows = [{ gammaAt: 0, alphaAt: 5, betaAt: 10 }, ["gamma", "alpha", "beta"]] as const;

  test("++ takes two launches each way", () => {
    const walk = () => {
      const x = engine.asVariable(engine.empty([3, 5, 4, 6]));
      return grad(instanceNormPlus(x, attrs), [x], { cotangent: engine.empty(x.shape) });
    };
    const expected = ["norm_pieces", "norm_split", "norm_grad_pieces", "norm_grad_split"];
    expect(kernels(walk)).toEqual(expected);
  });

  test("++ with parameters of each sample", async () => {
    const way = { kernel: "split", lanes: 4, each: 2, rows: 4, vec: true };
    const [places, order] = rows;
    const part = (values: Array64, at: number) => shape.slice(values, [0, at], [3, 5]);
    await engine.choices.forcing("norm", way, () =>
      engine.choices.forcing("norm_grad", way, () =>
        checkOp({
          op: (x, values) => instanceNormPlus(x!, { rows: { values: values!, order }, ...attrs }),
          oracle: (x, v) =>
            norm(
              x!,
              { ...attrs, groups: 5, plus: true },
              part(v!, places.gammaAt),
              part(v!, places.betaAt),
              part(v!, places.alphaAt),
            ),
          inputs: [normal([3, 5, 4, 6], 1), normal([3, 15], 2)],
          seed: 3,
          terms: 24,
        }),
      ),
    );
  });

  test.runIf(engine.device.features.has("shader-f16"))(
    "stored as f16, ++ departs by its rounding",
    async () => {
      const x = engine.variable(Float32Array.from(normal([3, 5, 4, 6], 1).data), [3, 5, 4, 6]);
      const cotangent = engine.tensor(Float32Array.from(normal([3, 5, 4, 6], 2).data), [3, 5, 4, 6]);
      const both = (half: boolean) => {
        const y = engine.autocast(() => instanceNormPlus(exp(x), attrs), half);
        return [y, ...grad(y, [x], { cotangent, retainGraph: true })];
      };
      const [exact, halved] = [both(false), both(true)];
      expect(halved[0]!.dtype).toBe("f16");
      for (const [i, t] of exact.entries()) {
        const [a, b] = [[...(await t.data())], await halved[i]!.data()];
        const largest = a.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
        const worst = a.reduce((most, v, k) => Math.max(most, Math.abs(v - b[k]!)), 0);
        expect(worst).toBeLessThan(1e-2 * largest);
      }
      for (const t of [x, cotangent, ...exact, ...halved]) t.dispose();
    },
  );

  test("groups that no workgroup can hold", () => {
    const walk = () => groupNorm(engine.empty([1, 4, 128, 136]), 2, attrs);
    expect(kernels(walk)).toEqual(["norm_pieces", "norm_split"]);
  });

  test("groups of maps in several pieces", async () => {
    const way = { kernel: "split", lanes: 256, each: 4, rows: 1, vec: true };
    await engine.choices.forcing("norm", way, () =>
      engine.choices.forcing("norm_grad", way, () =>
        checkOp({
          op: (x, gamma, beta) => groupNorm(x!, 1, { gamma, beta, ...attrs }),
          oracle: (x, gamma, beta) => norm(x!, { ...attrs, groups: 1, plus: false }, gamma!, beta!, null),
          inputs: [normal([1, 2, 64, 132], 1), normal([2], 2), normal([2], 3)],
          seed: 4,
          terms: 2 * 64 * 132,
          derivatives: 1,
        }),
      ),
    );
  });
});
/** Four columns from one on. */
const slice = (x: Array64, from: number) => shape.slice(x, [0, from], [x.shape[0]!, 4]);

test("convolution", async () => {
  const attrs = { stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1] } as const;
  const inputs = [normal([2, 3, 5, 4], 1), normal([3, 3, 3, 3], 2)];
  const oracle = (x?: Array64, w?: Array64) => convOracle(x!, w!, null, attrs);
  const magnitude = oracle(map(inputs[0]!, Math.abs), map(inputs[1]!, Math.abs));
  await checkOp({
    op: (x, w) => conv2d(x!, w!, undefined, { padding: 1 }),
    oracle,
    inputs,
    seed: 3,
    terms: 27,
    magnitude,
  });
});

test("a convolution with a stride, whose gradient in the input goes by classes of inputs", async () => {
  const attrs = { stride: [2, 3], padding: [1, 1, 1, 0], dilation: [1, 2] } as const;
  const inputs = [normal([2, 8, 7, 9], 1), normal([9, 8, 3, 2], 2)];
  const oracle = (x?: Array64, w?: Array64) => convOracle(x!, w!, null, attrs);
  const magnitude = oracle(map(inputs[0]!, Math.abs), map(inputs[1]!, Math.abs));
  await checkOp({
    op: (x, w) => conv2d(x!, w!, undefined, attrs),
    oracle,
    inputs,
    seed: 3,
    terms: 48,
    magnitude,
  });
});

test("pools", async () => {
  const [sliding, halving] = [
    { kernel: [3, 2], stride: [1, 1], padding: [1, 1, 0, 1], countIncludePad: true },
    { kernel: [2, 2], stride: [2, 2], padding: [0, 0, 0, 0], countIncludePad: true },
  ] as const;
  for (const attrs of [sliding, halving]) {
    const inputs = [distinct([1, 2, 6, 7], 1)];
    const average = (x?: Array64) => pool.avgPool2d(x!, attrs);
    await checkOp({ op: (x) => avgPool2d(x!, attrs), oracle: average, inputs, seed: 3, terms: 6 });
    const largest = (x?: Array64) => pool.maxPool2d(x!, attrs).y;
    await checkOp({ op: (x) => maxPool2d(x!, attrs), oracle: largest, inputs, seed: 3, terms: 6 });
  }
});

test("pools by vec4s", async () => {
  const sliding = { kernel: [3, 2], stride: [1, 1], padding: [1, 1, 1, 0], countIncludePad: true } as const;
  const touching = { kernel: [2, 4], stride: [2, 4], padding: [0, 0, 0, 0], countIncludePad: false } as const;
  for (const [width, attrs] of [
    [8, sliding],
    [16, touching],
  ] as const) {
    const inputs = [distinct([1, 2, 4, width], 1)];
    const average = (x?: Array64) => pool.avgPool2d(x!, attrs);
    await checkOp({ op: (x) => avgPool2d(x!, attrs), oracle: average, inputs, seed: 3, terms: 8 });
    const largest = (x?: Array64) => pool.maxPool2d(x!, attrs).y;
    await checkOp({ op: (x) => maxPool2d(x!, attrs), oracle: largest, inputs, seed: 3, terms: 8 });
  }
});

test("of equal maxima the first takes the gradient, by vec4s", async () => {
  const x = engine.variable(
    [1, 1, 1, 1, 2, 0, 0, 2].map((v) => v - 5),
    [1, 1, 2, 4],
  );
  const options = { kernel: [3, 2], stride: 1, padding: [1, 1, 1, 0] } as const;
  const dx = engine.scope(
    () => grad(maxPool2d(x, options), [x], { cotangent: engine.ones([1, 1, 2, 4]) })[0]!,
  );
  expect([...(await dx.data())]).toEqual([0, 2, 0, 0, 4, 0, 0, 2]);
  for (const t of [x, dx]) t.dispose();
});

test("maxima of what has no gradient leave no marks", () => {
  const launches = (x: Tensor) => {
    const names: string[] = [];
    const pooled = () =>
      void engine.scope(() => maxPool2d(x, { kernel: [3, 2], stride: 1, padding: [1, 1, 1, 0] }));
    engine.dry(pooled, ({ program }) => names.push(program.kernel.name));
    return names.filter((name) => name !== "fill"); // the tests' engine poisons what it allocates
  };
  const x = engine.zeros([1, 1, 2, 4]);
  expect(launches(x)).toEqual(["max_of_fours"]);
  engine.asVariable(x);
  expect(launches(x)).toEqual(["marked_max_of_fours"]);
  expect(engine.noGrad(() => launches(x))).toEqual(["max_of_fours"]);
  x.dispose();
});

test("resizing and resampling", async () => {
  const inputs = [normal([1, 2, 5, 4], 1)];
  const size = [9, 8] as const;
  for (const to of [size, [10, 8]] as const)
    await checkOp({
      op: (x) => resizeNearest(x!, to),
      oracle: (x) => resize.resizeNearest(x!, { size: to }),
      inputs,
      seed: 3,
    });
  for (const alignCorners of [false, true])
    await checkOp({
      op: (x) => resizeBilinear(x!, size, { alignCorners }),
      oracle: (x) => resize.resizeBilinear(x!, { size, alignCorners }),
      inputs,
      seed: 3,
      terms: 20,
    });
  const filter = normal([4, 4], 2);
  const taps = upload(filter);
  const up = { up: [2, 2], down: [1, 1], pad: [2, 1, 2, 1] } as const;
  const down = { up: [1, 1], down: [2, 2], pad: [1, 1, 1, 1] } as const;
  for (const [attrs, shape] of [
    [up, [1, 2, 5, 4]],
    [down, [1, 2, 6, 8]],
  ] as const)
    await checkOp({
      op: (x) => upfirdn2d(x!, taps, attrs),
      oracle: (x) => firOracle(x!, filter, attrs),
      inputs: [normal(shape, 1)],
      seed: 3,
      terms: 16,
      magnitude: 30,
    });
  taps.dispose();
});

test("permuting, slicing, looking up", async () => {
  await checkOp({
    op: (x) => permute(narrow(x!, 1, 4, 8), [2, 0, 1]),
    oracle: (x) => shape.permute(shape.slice(x!, [0, 4, 0], [2, 8, 8]), [2, 0, 1]),
    inputs: [normal([2, 16, 8], 1)],
    seed: 3,
  });
  const labels = engine.tensor(Int32Array.from([2, 0, 2]));
  await checkOp({
    op: (table) => embedding(table!, labels),
    oracle: (table) => embeddingOracle(table!, array64([3], [2, 0, 2])),
    inputs: [normal([4, 8], 1)],
    seed: 3,
  });
  labels.dispose();
});

test("gradients of tables whose entries come in several chunks", async () => {
  const at = { shape: [2900], data: Float64Array.from({ length: 2900 }, (_, i) => (i * i) % 5) };
  const labels = upload(at, "i32");
  for (const width of [3, 8])
    await checkOp({
      op: (table) => embedding(table!, labels),
      oracle: (table) => embeddingOracle(table!, at),
      inputs: [normal([5, width], 1)],
      seed: 3,
      terms: 2900,
    });
  labels.dispose();
});

test("the pretence is known to the engine", () => {
  expect(engine.hardware.kind).toBe("gpu");
});

test("permutations that turn squares around, with an axis beside them and without", async () => {
  for (const [dims, order] of [
    [
      [2, 33, 5, 9],
      [0, 2, 3, 1],
    ],
    [
      [2, 45, 33],
      [0, 2, 1],
    ],
    [
      [70, 16],
      [1, 0],
    ],
    [
      [17, 3, 40],
      [2, 1, 0],
    ],
    [
      [17, 20, 3],
      [1, 0, 2],
    ],
    [
      [31, 2, 33, 2],
      [2, 1, 3, 0],
    ],
  ] as const)
    await checkOp({
      op: (x) => permute(x, order),
      oracle: (x) => shape.permute(x, order),
      inputs: [normal(dims, 1)],
      seed: 3,
    });
});

test("values put around one, two and three axes, and taken away", async () => {
  for (const [dims, pads] of [
    [
      [2, 3, 5, 7],
      [
        [0, 0],
        [0, 0],
        [1, 1],
        [1, 1],
      ],
    ],
    [
      [2, 3, 4, 4],
      [
        [0, 0],
        [0, 0],
        [2, 1],
        [3, 2],
      ],
    ],
    [
      [3, 5, 2],
      [
        [0, 0],
        [2, 3],
        [0, 0],
      ],
    ],
    [
      [3, 5, 1],
      [
        [1, 0],
        [0, 0],
        [0, 2],
      ],
    ],
    [[7], [[1, 4]]],
    [
      [2, 3, 4],
      [
        [1, 0],
        [0, 1],
        [2, 2],
      ],
    ],
    [
      [2, 3],
      [
        [0, 0],
        [0, 0],
      ],
    ],
  ] as const)
    await checkOp({
      op: (x) => pad(x, pads, -1.5),
      oracle: (x) => shape.pad(x, pads, -1.5),
      inputs: [normal(dims, 1)],
      seed: 3,
    });
});

test("blocks out of the middle, in fours or not", async () => {
  for (const [dims, starts, sizes] of [
    [
      [2, 5, 6, 7],
      [0, 1, 2, 3],
      [2, 3, 4, 4],
    ],
    [
      [2, 3, 6, 7],
      [0, 0, 2, 3],
      [2, 3, 3, 2],
    ],
    [
      [2, 5, 8],
      [0, 1, 4],
      [2, 3, 4],
    ],
    [
      [9, 3],
      [2, 0],
      [5, 3],
    ],
    [
      [3, 4, 5],
      [1, 1, 1],
      [2, 2, 3],
    ],
  ] as const)
    await checkOp({
      op: (x) => block(x, starts, sizes),
      oracle: (x) => shape.slice(x, starts, sizes),
      inputs: [normal(dims, 1)],
      seed: 3,
    });
});
