/**
 * Ops whose inputs and outputs fit into a binding each, while what a kernel reads of them, copied, padded or transformed,
 * would not: an adapter that binds 64 KiB is imitated.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { boundBytes } from "../../engine/dry.ts";
import { Engine } from "../../engine/engine.ts";
import { conv2dInputGrad, conv2dWeightGrad } from "../../engine/ops/conv2d.ts";
import { attention, cast, conv2d, matmul, mul, sum } from "../../engine/ops/index.ts";
import { type Array64, map } from "../../engine/oracle/array.ts";
import { attention as attentionOracle } from "../../engine/oracle/attention.ts";
import * as oracle from "../../engine/oracle/conv2d.ts";
import { matmul as matmulOracle } from "../../engine/oracle/matmul.ts";
import * as reduceOracle from "../../engine/oracle/reduce.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { matrixHeld } from "../../kernels/conv-matrix.ts";
import {
  type ConvProblem,
  convWay,
  convWays,
  convWeightWay,
  convWeightWays,
} from "../../kernels/conv-ways.ts";
import type { Hardware, Variant } from "../../kernels/kernel.ts";
import { normal } from "../support/draw.ts";
import { expectNear, type Tolerance } from "../support/near.ts";

const LIMIT = 1 << 16;
let engine: Engine;
beforeAll(async () => {
  engine = await Engine.create({
    poison: true,
    quiet: true,
    autotune: "off",
    limits: { maxStorageBufferBindingSize: LIMIT },
  });
});
afterAll(() => engine.destroy());

/** Runs `fn` with the choices for another kind of adapter. */
function as<T>(hardware: Partial<Hardware>, fn: () => T): T {
  const given = engine.hardware;
  Object.assign(engine, { hardware: { ...given, ...hardware } });
  try {
    return fn();
  } finally {
    Object.assign(engine, { hardware: given });
  }
}

const bytes = (x: Array64): number => 4 * x.data.length;
const upload = (x: Array64): Tensor => engine.tensor(Float32Array.from(x.data), x.shape);

/** Holds an op to its oracle, and all it allocated to be given back. */
async function check(
  inputs: readonly Array64[],
  op: (...xs: Tensor[]) => Tensor,
  mathematics: (...xs: Array64[]) => Array64,
  tolerance: Tolerance,
): Promise<void> {
  const expected = mathematics(...inputs);
  for (const x of [...inputs, expected]) expect(bytes(x)).toBeLessThanOrEqual(LIMIT);
  const before = engine.memory().live;
  const y = engine.scope(() => op(...inputs.map(upload)));
  const got = await y.data();
  expect(y.shape).toEqual(expected.shape);
  y.dispose();
  expect(engine.memory().live).toBe(before);
  const magnitude = mathematics(...inputs.map((x) => map(x, Math.abs)));
  expectNear(got, expected, { magnitude, ...tolerance });
}

/** The largest that kernels bind in a walk, and their names. */
function walked(fn: () => unknown): { bound: number; kernels: string[] } {
  let bound = 0;
  const kernels: string[] = [];
  engine.dry(fn, (launch) => {
    bound = Math.max(bound, boundBytes(launch));
    kernels.push(launch.program.kernel.name);
  });
  return { bound, kernels };
}

const attrs = { stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1] } as const;
const strided = { ...attrs, stride: [2, 2] } as const;
test.each(["cpu", "gpu"] as const)(
  "one matrix by a batch: its gradients' products, one for each, come in turns, those of second derivatives too: %s",
  async (kind) => {
    const [batch, m, k, n] = [40, 30, 28, 9];
    expect(4 * batch * m * k).toBeGreaterThan(2 * LIMIT);
    const [w, x, g] = [normal([m, k], 1), normal([batch, k, n], 2), normal([m, k], 3)];
    const dy = normal([batch, m, n], 4);
    const kept = [w, x, g, dy].map((t) => engine.untrack(upload(t))) as [Tensor, Tensor, Tensor, Tensor];
    const [ws, xs, gs, dys] = kept;
    const compute = () => {
      const [weight, input] = [ws, xs].map((t) => engine.asVariable(t)) as [Tensor, Tensor];
      const [dw] = grad(matmul(weight, input), [weight], { cotangent: dys, createGraph: true });
      const [dx] = grad(sum(mul(dw!, gs)), [input]);
      return [dw!.detach(), dx!];
    };
    const [dw, dx] = as({ kind }, () => engine.scope(compute)) as [Tensor, Tensor];
    const each = matmulOracle(dy, x, { transposeA: false, transposeB: true });
    const expected = reduceOracle.sum(each, [0]);
    const magnitude = reduceOracle.sum(
      matmulOracle(map(dy, Math.abs), map(x, Math.abs), { transposeA: false, transposeB: true }),
      [0],
    );
    expectNear(await dw.data(), expected, { terms: batch * n, magnitude });
    // <sum_b dy_b x_b^T, g> has the gradient g^T dy_b in x_b.
    const along = matmulOracle(g, dy, { transposeA: true, transposeB: false });
    const sizes = matmulOracle(map(g, Math.abs), map(dy, Math.abs), { transposeA: true, transposeB: false });
    expectNear(await dx.data(), along, { terms: m * batch * n, magnitude: sizes });
    for (const t of [dw, dx, ...kept]) t.dispose();
    const { bound } = as({ kind }, () =>
      walked(() =>
        engine.scope(() => {
          const [weight, input] = [w, x].map((t) => engine.asVariable(engine.empty(t.shape))) as [
            Tensor,
            Tensor,
          ];
          const [dw] = grad(matmul(weight, input), [weight], {
            cotangent: engine.empty(dy.shape),
            createGraph: true,
          });
          return grad(sum(mul(dw!, dw!)), [input]);
        }),
      ),
    );
    expect(bound).toBeLessThanOrEqual(LIMIT);
  },
);

/** A convolution of which tests say the sizes. */
const plain = { kernel: [3, 3], stuffing: [1, 1], flip: false, half: false, attrs } as const;
const rows = { kernel: "rows", rows: 4, columns: 8, lanes: 8 } as const;
const forced = (fn: () => Tensor): Tensor => engine.choices.forcing("conv2d", rows, fn);

describe("convolutions by rows take the images in turns", () => {
  const [x, w] = [normal([8, 8, 15, 15], 1), normal([6, 8, 3, 3], 2)];

  test("forward, with a bias for each image and a residual", async () => {
    const [bias, residual] = [normal([8, 6], 3), normal([8, 6, 15, 15], 4)];
    await check(
      [x, w, bias, residual],
      (x, w, bias, residual) =>
        forced(() => conv2d(x!, w!, bias, { padding: 1, residual: residual!, rescale: 0.7 })),
      (x, w, bias, residual) => oracle.addRescaled(oracle.conv2d(x!, w!, bias!, attrs), residual!, 0.7),
      { terms: 73 },
    );
  });

  test("forward, with one bias for all", () =>
    check(
      [x, w, normal([6], 3)],
      (x, w, bias) => forced(() => conv2d(x!, w!, bias, { padding: 1 })),
      (x, w, bias) => oracle.conv2d(x!, w!, bias!, attrs),
      { terms: 73 },
    ));

  test("the input gradient of a stride, whose dy is stuffed with zeros", () =>
    check(
      [normal([5, 14, 15, 15], 1), normal([14, 3, 3, 3], 2)],
      (dy, w) => forced(() => conv2dInputGrad(dy!, w!, { ...strided, inputSize: [29, 29] })),
      (dy, w) => oracle.conv2dInputGrad(dy!, w!, { ...strided, inputSize: [29, 29] }),
      { terms: 9 * 14 },
    ));

  test.each([1, 3])("the weight gradient, %i kernel rows a thread", async (khs) => {
    const way = { kernel: "rows", rows: 4, columns: 4, lanes: 8, khs };
    await check(
      [normal([8, 6, 15, 15], 1), x],
      (dy, x) =>
        engine.choices.forcing("conv2d_weight_grad", way, () =>
          conv2dWeightGrad(dy!, x!, { ...attrs, kernelSize: [3, 3] }),
        ),
      (dy, x) => oracle.conv2dWeightGrad(dy!, x!, { ...attrs, kernelSize: [3, 3] }),
      { terms: 8 * 225 },
    );
  });

  test("an image's numbers are those it has alone, to the last bit", async () => {
    const alone = { shape: [1, 8, 15, 15], data: x.data.slice(5 * 8 * 225, 6 * 8 * 225) };
    const [all, one] = [x, alone].map((x) =>
      engine.scope(() => forced(() => conv2d(upload(x), upload(w), undefined, { padding: 1 }))),
    ) as [Tensor, Tensor];
    expect((await all.data()).slice(5 * 6 * 225, 6 * 6 * 225)).toEqual(await one.data());
    for (const t of [all, one]) t.dispose();
  });
});

describe.each(["cpu", "gpu"] as const)("an image whose copy would not fit goes another way: %s", (kind) => {
  const size = [45, 45] as const;

  test("forward, of few channels and more", async () => {
    for (const [ci, co] of [
      [8, 9],
      [8, 3],
    ] as const)
      await check(
        [normal([1, ci, ...size], 1), normal([co, ci, 3, 3], 2)],
        (x, w) => as({ kind }, () => conv2d(x!, w!, undefined, { padding: 1, stride: 2 })),
        (x, w) => oracle.conv2d(x!, w!, null, strided),
        { terms: 9 * ci },
      );
  });

  test("the input gradient", () =>
    check(
      [normal([1, 8, 23, 23], 1), normal([8, 4, 3, 3], 2)],
      (dy, w) => as({ kind }, () => conv2dInputGrad(dy!, w!, { ...strided, inputSize: size })),
      (dy, w) => oracle.conv2dInputGrad(dy!, w!, { ...strided, inputSize: size }),
      { terms: 72 },
    ));

  test("the weight gradient, to few channels and more", async () => {
    for (const co of [3, 9])
      await check(
        [normal([1, co, 23, 23], 1), normal([1, 8, ...size], 2)],
        (dy, x) => as({ kind }, () => conv2dWeightGrad(dy!, x!, { ...strided, kernelSize: [3, 3] })),
        (dy, x) => oracle.conv2dWeightGrad(dy!, x!, { ...strided, kernelSize: [3, 3] }),
        { terms: 23 * 23 },
      );
  });
});

describe("products on a CPU driver, whose operands are packed in fours", () => {
  const options = [
    [{ transposeA: false, transposeB: false }, [1, 16_000], [16_000, 3]],
    [{ transposeA: true, transposeB: false }, [5000, 3], [5000, 2]],
    [{ transposeA: false, transposeB: true }, [2, 5001], [3, 5001]],
    [{ transposeA: false, transposeB: false }, [2, 10], [64, 10, 25]],
  ] as const;
  test.each(options)("%j of %j and %j", (options, a, b) => {
    const [left, right] = a[0] === 1 ? [a, [16_000, 1]] : [a, b];
    return check(
      [normal(left, 1), normal(right, 2)],
      (a, b) => as({ kind: "cpu" }, () => matmul(a!, b!, options)),
      (a, b) => matmulOracle(a!, b!, options),
      { terms: 16_000 },
    );
  });

  test("a convolution 1x1 of maps of five by five", () =>
    check(
      [normal([64, 10, 5, 5], 1), normal([3, 10, 1, 1], 2)],
      (x, w) => as({ kind: "cpu" }, () => conv2d(x!, w!)),
      (x, w) => oracle.conv2d(x!, w!, null, { ...attrs, padding: [0, 0, 0, 0] }),
      { terms: 10 },
    ));

  test("attention, whose weights alone would fit", async () => {
    const [q, k, v] = [normal([2, 3, 125], 1), normal([2, 3, 130], 2), normal([2, 3, 130], 3)];
    const weights = 4 * 125 * 130;
    expect(weights).toBeLessThanOrEqual(LIMIT);
    await check(
      [q, k, v],
      (q, k, v) => as({ kind: "cpu" }, () => attention(q!, k!, v!)),
      (q, k, v) => attentionOracle(q!, k!, v!, 1 / Math.sqrt(3)),
      { terms: 3 * 130, magnitude: 1 },
    );
  });
});

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

  test("take the images in turns where their rows of channels would not fit", () => {
    const run = () => conv2d(half([14, 8, 10, 10]), engine.empty([9, 8, 3, 3]), undefined, { padding: 1 });
    const { bound, kernels } = as(units, () => walked(run));
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
    const product = (m: number, n: number, batch: number) =>
      as(units, () => walked(() => matmul(engine.empty([m, 16]), half([batch, 16, n]))));
    const inTurns = product(8, 100, 20);
    expect(inTurns.kernels.filter((name) => name === "conv_matrix").length).toBe(2);
    expect(inTurns.bound).toBeLessThanOrEqual(LIMIT);
    expect(product(8, 1025, 1).kernels).not.toContain("conv_matrix");
    expect(product(600, 8, 1).kernels).not.toContain("conv_matrix");
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
  as({ kind }, () => {
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
