import { heldAtOnce, up4 } from "../../kernels/conv-copies.ts";
import { convGemm } from "../../kernels/conv-gemm.ts";
import { convPhases } from "../../kernels/conv-phases.ts";
import { isStrided } from "../../kernels/conv-ways.ts";
import { convWeightGemm, convWeightSum } from "../../kernels/conv-weight-gemm.ts";
import { type Tile, tileCount } from "../../kernels/tile.ts";
import type { Engine } from "../engine.ts";
import type { Inputs } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { packed } from "./conv-packs.ts";
import { phasesOf } from "./conv-phases.ts";
import type { Convolution, WeightSums } from "./conv-problems.ts";
import { sizeOf } from "./conv-shapes.ts";

// Convolutions as matrix products of gathered inputs.

/** One matrix product, of inputs gathered as they are needed: of a stride's gradient one for each class of its outputs. */
export function byGemm(
  engine: Engine,
  [x, w, bias, residual, pack]: Inputs,
  problem: Convolution,
  tile: Tile,
): Tensor {
  const { n, ci, co, oh, ow, kernel, attrs, flip, rescale } = problem;
  const [kh, kw] = kernel;
  const [height, width] = sizeOf(x!);
  const [[strideY, strideX], [dilationY, dilationX]] = [attrs.stride, attrs.dilation];
  const [top, , left] = attrs.padding;
  const wp = packed(engine, w!, { kernel: "gemm" }, { flip, pack });
  const y = engine.empty([n, co, oh, ow]);
  const sizes = { m: co, ci, height, width, oh, ow, kh, kw, dilationY, dilationX, top, left };
  if (isStrided(problem)) {
    const phases = phasesOf(problem);
    engine.launch(
      convPhases,
      tile,
      { x: x!, w: wp, y },
      { ...sizes, ...phases, n: n * phases.rows * phases.columns },
    );
    return y;
  }
  engine.launch(
    convGemm,
    { ...tile, residual: residual !== undefined, vec: (oh * ow) % 4 === 0 },
    { x: x!, w: wp, bias: bias ?? wp, residual: residual ?? wp, y },
    {
      ...sizes,
      ...{ n: n * oh * ow, strideY, strideX },
      useBias: bias ? 1 : 0,
      biasPitch: bias?.rank === 2 ? co : 0,
      rescale,
    },
  );
  return y;
}

/** Workgroups to split a sum for. */
export const BUSY = 264;
/** Slabs of positions that a workgroup takes at least. */
const LEAST_SLABS = 4;

/** One matrix product over all positions, split until a GPU is busy. */
export function weightsByGemm(engine: Engine, [dy, x]: Inputs, sums: WeightSums, tile: Tile): Tensor {
  const { n, ci, co, kh, kw, size, stride, dilation, padding } = sums;
  const [[oh, ow], [height, width]] = [size, sizeOf(x!)];
  const [k, columns] = [n * oh * ow, kh * kw * up4(ci)];
  const most = Math.min(
    Math.ceil(BUSY / tileCount(1, co, columns, tile)),
    heldAtOnce(engine.hardware, 4 * co * columns),
  );
  const slabs = Math.max(LEAST_SLABS, Math.ceil(k / most / tile.slab));
  const span = slabs * tile.slab;
  const splits = Math.ceil(k / span);
  const parts = engine.empty([splits, co, kh * kw, up4(ci)], "f32");
  engine.launch(
    convWeightGemm,
    { ...tile, vec: ow % 4 === 0 },
    { dy: dy!, x: x!, parts },
    {
      ...{ m: co, n: columns, k, span, ci, height, width, oh, ow, kw },
      ...{ strideY: stride[0], strideX: stride[1], dilationY: dilation[0], dilationX: dilation[1] },
      ...{ top: padding[0], left: padding[2] },
    },
  );
  const dw = engine.empty([co, ci, kh, kw]);
  engine.launch(convWeightSum, {}, { parts, dw }, { splits, co, ci, taps: kh * kw });
  return dw;
}
