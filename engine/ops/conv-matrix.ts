import { heldAtOnce } from "../../kernels/conv-copies.ts";
import {
  convMatrix,
  type MatrixTile,
  matrixPixels,
  matrixSize,
  matrixWeight,
  rowVecs,
  slabsFill,
} from "../../kernels/conv-matrix.ts";
import type { MatrixUnit } from "../../kernels/kernel.ts";
import type { Engine } from "../engine.ts";
import { invariant } from "../errors.ts";
import type { Inputs } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import type { Convolution } from "./conv-problems.ts";
import { inTurns } from "./turns.ts";

/**
 * y [n, co, oh, ow] on matrix units from x, weight, and bias and residual where given: products of values rounded to f16,
 * summed in f32, of as many images at once as a binding holds. Taps are not flipped and inputs not stuffed.
 */
export function byMatrix(
  engine: Engine,
  [x, w, bias, residual]: Inputs,
  problem: Convolution,
  way: MatrixUnit & MatrixTile,
  kernel = convMatrix,
): Tensor {
  const { n, ci, co, oh, ow, kernel: size } = problem;
  invariant(slabsFill(way, ci), `matrix units: slabs of ${way.slab} do not fill rows of ${ci} channels`);
  const [vecs, taps] = [rowVecs(ci), size[0] * size[1]];
  const weight = engine.empty([taps, co, 4 * vecs], "u32");
  engine.launch(matrixWeight, {}, { w: w!, y: weight }, { co, ci, taps, vecs });
  const y = engine.empty([n, co, oh, ow]);
  const [lines, pitch] = matrixSize(problem);
  const atOnce = heldAtOnce(engine.hardware, 16 * vecs * lines * pitch);
  const own = bias?.rank === 2 ? bias : undefined; // of each image
  inTurns(engine, { samples: n, atOnce }, [x, own, residual], [y], ([x, own, residual], [y]) =>
    someByMatrix(engine, [x, weight, own ?? bias, residual], y!, problem, way, kernel),
  );
  weight.dispose();
  return y;
}

/** y from x and weights in rows, of some images. */
function someByMatrix(
  engine: Engine,
  [x, weight, bias, residual]: Inputs,
  y: Tensor,
  { ci, co, oh, ow, kernel: [kh, kw], attrs, rescale, ...problem }: Convolution,
  { m, n: columns, k, lanes, unitRows, unitColumns, groupRows, groupColumns, slab }: MatrixUnit & MatrixTile,
  kernel: typeof convMatrix,
): void {
  const { stride, dilation, padding } = attrs;
  const [strideY, strideX] = stride;
  const [dilationY, dilationX] = dilation;
  const [n, height, width] = [x!.dim(0), x!.dim(2), x!.dim(3)];
  const [lines, pitch] = matrixSize({ ...problem, oh, ow, kernel: [kh, kw], attrs });
  const vecs = rowVecs(ci);
  const pixels = engine.empty([n, lines, pitch, 4 * vecs], "u32");
  const [top, , left] = padding;
  engine.launch(
    matrixPixels,
    {},
    { x: x!, y: pixels },
    { n, ci, height, width, lines, pitch, vecs, top, left },
  );
  engine.launch(
    kernel,
    {
      ...{ m, n: columns, k, lanes, unitRows, unitColumns, groupRows, groupColumns, slab },
      residual: residual !== undefined,
      vec: (oh * ow) % 4 === 0,
    },
    { x: pixels, w: weight!, bias: bias ?? weight!, residual: residual ?? weight!, y },
    {
      ...{ m: co, n: n * oh * ow, vecs, ci, oh, ow, lines, pitch, kh, kw },
      ...{ strideY, strideX, dilationY, dilationX },
      useBias: bias ? 1 : 0,
      biasPitch: bias?.rank === 2 ? co : 0,
      rescale,
    },
  );
  pixels.dispose();
}
