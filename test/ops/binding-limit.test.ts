/**
 * Ops whose inputs and outputs fit into a binding each, while what a kernel reads of them, copied, padded or transformed,
 * would not: they are computed all the same.
 */
import { describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { conv2dInputGrad, conv2dWeightGrad } from "../../engine/ops/conv2d.ts";
import { attention, cast, conv2d, matmul, mul, sum } from "../../engine/ops/index.ts";
import { type Array64, map } from "../../engine/oracle/array.ts";
import { attention as attentionOracle } from "../../engine/oracle/attention.ts";
import * as oracle from "../../engine/oracle/conv2d.ts";
import { matmul as matmulOracle } from "../../engine/oracle/matmul.ts";
import * as reduceOracle from "../../engine/oracle/reduce.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { normal } from "../support/draw.ts";
import { expectNear } from "../support/near.ts";
import { attrs, checkBound, choosingFor, engine, LIMIT, upload, walked } from "../support/small-binding.ts";

const strided = { ...attrs, stride: [2, 2] } as const;
const rows = { kernel: "rows", rows: 4, columns: 8, lanes: 8 } as const;
const forced = (fn: () => Tensor): Tensor => engine.choices.forcing("conv2d", rows, fn);

describe("convolutions by rows take the images in turns", () => {
  const [x, w] = [normal([8, 8, 15, 15], 1), normal([6, 8, 3, 3], 2)];

  test("forward, with a bias for each image and a residual", async () => {
    const [bias, residual] = [normal([8, 6], 3), normal([8, 6, 15, 15], 4)];
    await checkBound(
      [x, w, bias, residual],
      (x, w, bias, residual) =>
        forced(() => conv2d(x!, w!, bias, { padding: 1, residual: residual!, rescale: 0.7 })),
      (x, w, bias, residual) => oracle.addRescaled(oracle.conv2d(x!, w!, bias!, attrs), residual!, 0.7),
      { terms: 73 },
    );
  });

  test("forward, with one bias for all", () =>
    checkBound(
      [x, w, normal([6], 3)],
      (x, w, bias) => forced(() => conv2d(x!, w!, bias, { padding: 1 })),
      (x, w, bias) => oracle.conv2d(x!, w!, bias!, attrs),
      { terms: 73 },
    ));

  test("the input gradient of a stride, whose dy is stuffed with zeros", () =>
    checkBound(
      [normal([5, 14, 15, 15], 1), normal([14, 3, 3, 3], 2)],
      (dy, w) => forced(() => conv2dInputGrad(dy!, w!, { ...strided, inputSize: [29, 29] })),
      (dy, w) => oracle.conv2dInputGrad(dy!, w!, { ...strided, inputSize: [29, 29] }),
      { terms: 9 * 14 },
    ));

  test("the same by sums of what each place adds", () =>
    checkBound(
      [normal([5, 14, 15, 15], 1), normal([14, 3, 3, 3], 2)],
      (dy, w) =>
        engine.choices.forcing("conv2d", { kernel: "fold" }, () =>
          conv2dInputGrad(dy!, w!, { ...strided, inputSize: [29, 29] }),
        ),
      (dy, w) => oracle.conv2dInputGrad(dy!, w!, { ...strided, inputSize: [29, 29] }),
      { terms: 9 * 14 },
    ));

  test.each([1, 3])("the weight gradient, %i kernel rows a thread", async (khs) => {
    const way = { kernel: "rows", rows: 4, columns: 4, lanes: 8, khs };
    await checkBound(
      [normal([8, 6, 15, 15], 1), x],
      (dy, x) =>
        engine.choices.forcing("conv2d_weight_grad", way, () =>
          conv2dWeightGrad(dy!, x!, { ...attrs, kernelSize: [3, 3] }),
        ),
      (dy, x) => oracle.conv2dWeightGrad(dy!, x!, { ...attrs, kernelSize: [3, 3] }),
      { terms: 8 * 225 },
    );
  });

  const halves = engine.device.features.has("shader-f16");
  for (const dtype of ["f32", "f16"] as const)
    test.runIf(dtype === "f32" || halves)(
      `an image's numbers are those it has alone, to the last bit: ${dtype}`,
      async () => {
        const [images, each] = dtype === "f16" ? [16, 11] : [8, 5];
        const x = normal([images, 8, 15, 15], 1);
        const alone = { shape: [1, 8, 15, 15], data: x.data.slice(each * 8 * 225, (each + 1) * 8 * 225) };
        const run = (x: Array64) =>
          forced(() => conv2d(cast(upload(x), dtype), upload(w), undefined, { padding: 1 }));
        const [all, one] = [x, alone].map((x) =>
          engine.scope(() => engine.autocast(() => run(x), dtype === "f16")),
        ) as [Tensor, Tensor];
        expect(all.dtype).toBe(dtype);
        const own = 6 * 225;
        expect((await all.data()).slice(each * own, (each + 1) * own)).toEqual(await one.data());
        for (const t of [all, one]) t.dispose();
      },
    );
});

describe.each(["cpu", "gpu"] as const)("an image whose copy would not fit goes another way: %s", (kind) => {
  const size = [45, 45] as const;

  test("forward, of few channels and more", async () => {
    for (const [ci, co] of [
      [8, 9],
      [8, 3],
    ] as const)
      await checkBound(
        [normal([1, ci, ...size], 1), normal([co, ci, 3, 3], 2)],
        (x, w) => choosingFor({ kind }, () => conv2d(x!, w!, undefined, { padding: 1, stride: 2 })),
        (x, w) => oracle.conv2d(x!, w!, null, strided),
        { terms: 9 * ci },
      );
  });

  test("the input gradient", () =>
    checkBound(
      [normal([1, 8, 23, 23], 1), normal([8, 4, 3, 3], 2)],
      (dy, w) => choosingFor({ kind }, () => conv2dInputGrad(dy!, w!, { ...strided, inputSize: size })),
      (dy, w) => oracle.conv2dInputGrad(dy!, w!, { ...strided, inputSize: size }),
      { terms: 72 },
    ));

  test("the weight gradient, to few channels and more", async () => {
    for (const co of [3, 9])
      await checkBound(
        [normal([1, co, 23, 23], 1), normal([1, 8, ...size], 2)],
        (dy, x) => choosingFor({ kind }, () => conv2dWeightGrad(dy!, x!, { ...strided, kernelSize: [3, 3] })),
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
    return checkBound(
      [normal(left, 1), normal(right, 2)],
      (a, b) => choosingFor({ kind: "cpu" }, () => matmul(a!, b!, options)),
      (a, b) => matmulOracle(a!, b!, options),
      { terms: 16_000 },
    );
  });

  test("a convolution 1x1 of maps of five by five", () =>
    checkBound(
      [normal([64, 10, 5, 5], 1), normal([3, 10, 1, 1], 2)],
      (x, w) => choosingFor({ kind: "cpu" }, () => conv2d(x!, w!)),
      (x, w) => oracle.conv2d(x!, w!, null, { ...attrs, padding: [0, 0, 0, 0] }),
      { terms: 10 },
    ));

  test("attention, whose weights alone would fit", async () => {
    const [q, k, v] = [normal([2, 3, 125], 1), normal([2, 3, 130], 2), normal([2, 3, 130], 3)];
    const weights = 4 * 125 * 130;
    expect(weights).toBeLessThanOrEqual(LIMIT);
    await checkBound(
      [q, k, v],
      (q, k, v) => choosingFor({ kind: "cpu" }, () => attention(q!, k!, v!)),
      (q, k, v) => attentionOracle(q!, k!, v!, 1 / Math.sqrt(3)),
      { terms: 3 * 130, magnitude: 1 },
    );
  });
});

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
    const [dw, dx] = choosingFor({ kind }, () => engine.scope(compute)) as [Tensor, Tensor];
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
    const { bound } = choosingFor({ kind }, () =>
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
