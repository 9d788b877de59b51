import { test } from "vitest";
import { type Array64, map, withResidual } from "../../engine/oracle/array.ts";
import { resizeNearest, resizeNearestGrad } from "../../engine/oracle/resize.ts";
import { blocks } from "../../kernels/blocks.ts";
import { normal } from "../support/draw.ts";
import { eachVariant, launched } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

const scale = 0.3;
const scaled = (x: Array64) => map(x, (v) => v * scale);

test.each(eachVariant(blocks))("%s", async (_, v) => {
  const sizes = [
    [1, 4],
    [7, 12],
    [33, 40],
    [2, 264],
    ...(v.vec
      ? []
      : [
          [7, 7],
          [2, 65],
        ]),
  ] as [number, number][];
  for (const [height, width] of sizes) {
    const [small, large] = [
      [2, 3, height, width],
      [2, 3, height * v.fy, width * v.fx],
    ];
    const x = normal(v.sum ? large : small, 1);
    const size = [height * v.fy, width * v.fx] as const;
    const expected = v.sum
      ? resizeNearestGrad(x, { inputSize: [height, width] })
      : resizeNearest(x, { size });
    const params = { rows: 6 * height, columns: width, scale };
    const residual = v.residual ? normal(expected.shape, 2) : undefined;
    const inputs = { x, ...(residual && { residual }) };
    const { y } = await launched(blocks, v, inputs, { y: expected.shape }, params);
    expectNear(
      y!,
      withResidual(scaled(expected), residual),
      { terms: v.fy * v.fx + 1 },
      `${height} x ${width}`,
    );
  }
});
