/** A weight gradient as a matrix product over positions, whole, against the float64 loops. */
import { expect, test } from "vitest";
import { conv2dWeightGrad } from "../../engine/ops/conv2d.ts";
import { map } from "../../engine/oracle/array.ts";
import * as oracle from "../../engine/oracle/conv2d.ts";
import type { Shape } from "../../engine/tensor.ts";
import { convWeightWays } from "../../kernels/conv-weight-ways.ts";
import type { Tile } from "../../kernels/tile.ts";
import { sharedTiles, testedTiles } from "../../kernels/tile-choice.ts";
import { upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";

interface Case {
  readonly x: Shape;
  readonly dy: Shape;
  readonly kernel: readonly [number, number];
  readonly stride?: readonly [number, number];
  readonly dilation?: readonly [number, number];
  readonly padding?: readonly [number, number, number, number];
}

async function check(
  tile: Tile,
  { x, dy, kernel, stride = [1, 1], dilation = [1, 1], padding = [1, 1, 1, 1] }: Case,
): Promise<void> {
  const attrs = { kernelSize: kernel, stride, dilation, padding };
  const [g, input] = [normal(dy, 1), normal(x, 2)];
  const tensors = [upload(g), upload(input)] as const;
  const kernels: string[] = [];
  const run = () => conv2dWeightGrad(...tensors, attrs);
  const dw = engine.choices.forcing("conv2d_weight_grad", { kernel: "gemm", ...tile }, () => {
    engine.dry(run, ({ program }) => kernels.push(program.kernel.name));
    return engine.scope(run);
  });
  expect(kernels.filter((name) => name !== "fill")).toEqual(["conv_weight_gemm", "conv_weight_sum"]);
  expectNear(await dw.data(), oracle.conv2dWeightGrad(g, input, attrs), {
    terms: dy[0]! * dy[2]! * dy[3]!,
    magnitude: oracle.conv2dWeightGrad(map(g, Math.abs), map(input, Math.abs), attrs),
  });
  for (const t of [...tensors, dw]) t.dispose();
}

test.each<Case>([
  { x: [3, 5, 6, 8], dy: [3, 9, 6, 8], kernel: [3, 3] },
  { x: [2, 4, 5, 7], dy: [2, 6, 5, 7], kernel: [3, 3] },
  { x: [2, 3, 9, 9], dy: [2, 5, 5, 3], kernel: [3, 2], stride: [2, 3], padding: [1, 1, 0, 0] },
  { x: [1, 4, 9, 16], dy: [1, 3, 5, 8], kernel: [3, 3], stride: [2, 2], padding: [1, 1, 1, 1] },
  { x: [1, 2, 8, 8], dy: [1, 3, 8, 8], kernel: [3, 3], dilation: [2, 3], padding: [2, 2, 3, 3] },
  { x: [2, 2, 7, 6], dy: [2, 3, 5, 4], kernel: [5, 3], padding: [2, 0, -1, 1] },
  { x: [5, 8, 2, 2], dy: [5, 4, 2, 2], kernel: [1, 1], padding: [0, 0, 0, 0] },
])("$x to $dy, kernel $kernel, stride $stride, dilation $dilation, padding $padding", (c) =>
  check(testedTiles[0]!, c),
);

test.each(testedTiles.slice(1))(
  "tiles of $rows x $columns, slabs of $slab, $eachRows x $eachColumns a thread, written out $written",
  (tile) => check(tile, { x: [2, 17, 4, 8], dy: [2, 70, 4, 8], kernel: [3, 3] }),
);

test("is worth measuring on a GPU, in tiles that it can hold", () => {
  const gemms = (hw: Partial<typeof engine.hardware>) =>
    convWeightWays(
      { ...engine.hardware, ...hw },
      {
        ...{ n: 2, ci: 8, co: 8, kh: 3, kw: 3 },
        ...{ size: [8, 8], stride: [1, 1], dilation: [1, 1] },
      },
    ).filter(({ kernel }) => kernel === "gemm");
  expect(gemms({ kind: "cpu" })).toEqual([]);
  expect(gemms({ kind: "gpu", maxWorkgroupStorage: 32_768 })).toHaveLength(sharedTiles.length);
});
