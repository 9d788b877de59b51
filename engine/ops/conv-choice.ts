import { type ConvWay, convWay, convWays, isStrided } from "../../kernels/conv-ways.ts";
import { type ConvWeightWay, convWeightWay, convWeightWays } from "../../kernels/conv-weight-ways.ts";
import { bucket, type Tunable } from "../choices.ts";
import type { Engine } from "../engine.ts";
import type { Inputs } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { byGemm, weightsByGemm } from "./conv-gemm.ts";
import { byMatrix } from "./conv-matrix.ts";
import { packedForBoth } from "./conv-packs.ts";
import { byFold } from "./conv-phases.ts";
import { type Convolution, gradientOf, type WeightSums } from "./conv-problems.ts";
import { byRows, weightsByRows } from "./conv-rows.ts";
import { byWinograd, weightsByWinograd } from "./conv-winograd.ts";

/** Without the batch: an image's numbers may not depend on those beside it. */
const convolution: Tunable<Convolution, ConvWay> = {
  family: "conv2d",
  classOf: ({ ci, co, oh, ow, size, kernel, attrs: { stride, dilation }, stuffing, flip, half }) =>
    `${ci}->${co} ${kernel.join("x")} to ${oh}x${ow} stride ${stride} dilation ${dilation}` +
    `${isStrided({ stuffing }) ? ` stuffed ${stuffing} from ${size?.join("x")}` : ""}${flip && half ? " flipped" : ""}`,
  heuristic: convWay,
  ways: convWays,
  run: (engine, inputs, problem, way) => {
    if (way.kernel === "winograd") {
      const { n, ci, co, oh, ow } = problem;
      return engine.standingFor(2 * n * ci * co * oh * ow * 9, () =>
        byWinograd(engine, inputs, problem, way.tile),
      );
    }
    if (way.kernel === "fold") return byFold(engine, inputs, problem);
    if (way.kernel === "matrix") return byMatrix(engine, inputs, problem, way);
    if (way.kernel === "gemm") {
      const { kernel: _, ...tile } = way;
      return byGemm(engine, inputs, problem, tile);
    }
    const { kernel: _, ...tile } = way;
    return byRows(engine, inputs, problem, tile);
  },
};

/** The way that is chosen; a pack among the inputs decides nothing. */
const wayOf = (engine: Engine, [x, w, bias, residual]: Inputs, problem: Convolution): ConvWay =>
  engine.choose(convolution, problem, [x, w, bias, residual]);

/** y from x, w, bias, residual and, where there is one, a pack of w: ways that read another make it. */
export const convolve = (engine: Engine, inputs: Inputs, problem: Convolution): Tensor =>
  convolution.run(engine, inputs, problem, wayOf(engine, inputs, problem));

/** The same and, where a gradient in x may be asked for, w packed as that will read it, if one launch can make both packs. */
export function convolvePacking(
  engine: Engine,
  inputs: Inputs,
  problem: Convolution,
): Tensor | { y: Tensor; extras: Tensor[] } {
  const [x, w, bias, residual] = inputs;
  const way = wayOf(engine, inputs, problem);
  const turns = engine.recording && x!.node !== undefined;
  const both = turns ? packedForBoth(engine, w!, way, wayBack(engine, w!, problem)) : undefined;
  const y = convolution.run(engine, [x, w, bias, residual, both?.pack], problem, way);
  return both ? { y, extras: [both.flipped] } : y;
}

/** The way that the gradient in x is going to take. */
function wayBack(engine: Engine, w: Tensor, problem: Convolution): ConvWay {
  const dy = { shape: [problem.n, problem.co, problem.oh, problem.ow], dtype: "f32" as const };
  return engine.autocast(() => engine.choose(convolution, gradientOf(problem), [dy, w]), false);
}

/** Sums over the batch: its class knows how large that is. */
export const weightSums: Tunable<WeightSums, ConvWeightWay> = {
  family: "conv2d_weight_grad",
  classOf: ({ n, ci, co, kh, kw, size: [oh, ow], stride, dilation }) =>
    `${bucket(n)} of ${ci}->${co} ${kh}x${kw} from ${oh}x${ow} stride ${stride} dilation ${dilation}`,
  heuristic: convWeightWay,
  ways: convWeightWays,
  run: (engine, inputs, sums, way) => {
    if (way.kernel === "winograd") {
      const { n, ci, co, size } = sums;
      const flops = 2 * n * ci * co * size[0] * size[1] * 9;
      return engine.standingFor(flops, () => weightsByWinograd(engine, inputs, sums, way.tile));
    }
    if (way.kernel === "gemm") {
      const { kernel: _, ...tile } = way;
      return weightsByGemm(engine, inputs, sums, tile);
    }
    const { kernel: _, ...tile } = way;
    return weightsByRows(engine, inputs, sums, tile);
  },
};
