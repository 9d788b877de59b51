import {
  convMatrix,
  type MatrixTile,
  matrixPixels,
  matrixWeight,
  rowVecs,
} from "../../kernels/conv-matrix.ts";
import type { ConvProblem } from "../../kernels/conv-ways.ts";
import type { MatrixUnit } from "../../kernels/kernel.ts";
import type { Engine } from "../engine.ts";
import type { Inputs } from "../op.ts";
import type { Tensor } from "../tensor.ts";

interface Convolution extends ConvProblem {
  readonly n: number;
  readonly attrs: ConvProblem["attrs"] & {
    readonly padding: readonly [top: number, bottom: number, left: number, right: number];
  };
  readonly rescale: number;
}

/**
 * y [n, co, oh, ow] on matrix units from x, weight, and bias and residual where given: products of values rounded to f16,
 * summed in f32. Taps are not flipped and inputs not stuffed.
 */
export function byMatrix(
  engine: Engine,
  [x, w, bias, residual]: Inputs,
  { n, ci, co, oh, ow, kernel: [kh, kw], attrs, rescale }: Convolution,
  { m, n: columns, k, lanes, unitRows, unitColumns, groupRows, groupColumns }: MatrixUnit & MatrixTile,
  kernel = convMatrix,
): Tensor {
  const { stride, dilation, padding } = attrs;
  const [strideY, strideX] = stride;
  const [dilationY, dilationX] = dilation;
  const [height, width] = [x!.dim(2), x!.dim(3)];
  const lines = (oh - 1) * strideY + (kh - 1) * dilationY + 1;
  const pitch = (ow - 1) * strideX + (kw - 1) * dilationX + 1;
  const [vecs, taps] = [rowVecs(ci), kh * kw];

  const pixels = engine.empty([n, lines, pitch, 4 * vecs], "u32");
  const [top, , left] = padding;
  engine.launch(
    matrixPixels,
    {},
    { x: x!, y: pixels },
    { n, ci, height, width, lines, pitch, vecs, top, left },
  );
  const weight = engine.empty([taps, co, 4 * vecs], "u32");
  engine.launch(matrixWeight, {}, { w: w!, y: weight }, { co, ci, taps, vecs });

  const y = engine.empty([n, co, oh, ow]);
  engine.launch(
    kernel,
    {
      ...{ m, n: columns, k, lanes, unitRows, unitColumns, groupRows, groupColumns },
      residual: residual !== undefined,
      vec: (oh * ow) % 4 === 0,
    },
    { x: pixels, w: weight, bias: bias ?? w!, residual: residual ?? w!, y },
    {
      ...{ m: co, n: n * oh * ow, vecs, ci, oh, ow, lines, pitch, kh, kw },
      ...{ strideY, strideX, dilationY, dilationX },
      useBias: bias ? 1 : 0,
      biasPitch: bias?.rank === 2 ? co : 0,
      rescale,
    },
  );
  for (const t of [pixels, weight]) t.dispose();
  return y;
}
