/** Products in tiles of tensors that are stored as f16: computed in f32, rounded once where they are stored. */
import { describe, expect, test } from "vitest";
import { conv2d, conv2dWeightGrad } from "../../engine/ops/conv2d.ts";
import { matmul } from "../../engine/ops/matmul.ts";
import { type Array64, map } from "../../engine/oracle/array.ts";
import * as oracle from "../../engine/oracle/conv2d.ts";
import { matmul as matmulOracle } from "../../engine/oracle/matmul.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import { testedTiles } from "../../kernels/tile-choice.ts";
import { upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";

/** Multiples of 1/64 below 8, which f16 holds exactly. */
const drawn = (shape: Shape, seed: number): Array64 =>
  map(normal(shape, seed), (v) => Math.max(-7, Math.min(7, Math.round(64 * v) / 64)));

function half(x: Array64): Tensor {
  const [single, y] = [upload(x), engine.untrack(engine.empty(x.shape, "f16"))];
  engine.copy(single, y);
  single.dispose();
  return y;
}

async function check(
  family: string,
  kernel: string,
  inputs: readonly Array64[],
  op: (...inputs: Tensor[]) => Tensor,
  expected: Array64,
): Promise<void> {
  const tensors = inputs.map(half);
  const y = engine.choices.forcing(family, { kernel, ...testedTiles[0]! }, () =>
    engine.noGrad(() => engine.scope(() => engine.autocast(() => op(...tensors)))),
  );
  expect(y.dtype).toBe("f16");
  const got = await y.data();
  for (const t of [...tensors, y]) t.dispose();
  expect(got).toHaveLength(expected.data.length);
  // Half a unit in the last of 11 bits, and the sum's own rounding.
  expected.data.forEach((e, i) => {
    expect(Math.abs(got[i]! - e), `element ${i}`).toBeLessThanOrEqual(Math.abs(e) * 2 ** -11 + 1e-4);
  });
}

describe.runIf(engine.device.features.has("shader-f16"))("stored as f16", () => {
  test.each([4, 5])("matmul, %i wide", async (width) => {
    const [a, b] = [drawn([2, 5, 8], 1), drawn([2, 8, width], 2)];
    await check("matmul", "shared", [a, b], (x, y) => matmul(x!, y!), matmulOracle(a, b));
  });

  const attrs = { stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1] } as const;

  test("a convolution with a residual", async () => {
    const [x, w, residual] = [drawn([2, 3, 4, 4], 1), drawn([5, 3, 3, 3], 2), drawn([2, 5, 4, 4], 3)];
    await check(
      "conv2d",
      "gemm",
      [x, w, residual],
      (x, w, residual) => conv2d(x!, w!, undefined, { padding: 1, residual, rescale: 0.5 }),
      oracle.addRescaled(oracle.conv2d(x, w, null, attrs), residual, 0.5),
    );
  });

  test("a weight gradient", async () => {
    const [dy, x] = [drawn([2, 5, 4, 4], 1), drawn([2, 3, 4, 4], 2)];
    const full = { ...attrs, kernelSize: [3, 3] } as const;
    await check(
      "conv2d_weight_grad",
      "gemm",
      [dy, x],
      (dy, x) => conv2dWeightGrad(dy!, x!, full),
      oracle.conv2dWeightGrad(dy, x, full),
    );
  });
});
