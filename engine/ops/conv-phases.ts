import { heldAtOnce } from "../../kernels/conv-copies.ts";
import { convFold } from "../../kernels/conv-fold.ts";
import { tapStep } from "../../kernels/conv-phases.ts";
import { foldBytes } from "../../kernels/conv-ways.ts";
import { matmulWay } from "../../kernels/matmul.ts";
import type { Engine } from "../engine.ts";
import type { Inputs } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import type { Convolution } from "./conv-problems.ts";
import { sizeOf } from "./conv-shapes.ts";
import { multiply } from "./matmul.ts";
import { inTurns } from "./turns.ts";

// The gradient of a stride in its input, by classes of inputs: see kernels/conv-phases.ts.

/** How many classes there are, their places, and how far apart the taps of each stand. */
export function phasesOf({ oh, ow, attrs, stuffing: [stepY, stepX] }: Convolution) {
  const [dilationY, dilationX] = attrs.dilation;
  return {
    ...{ stepY, stepX, rows: Math.ceil(oh / stepY), columns: Math.ceil(ow / stepX) },
    ...{ apartY: tapStep(stepY, dilationY), apartX: tapStep(stepX, dilationX) },
  };
}

/** Bytes of products at once: those of more images come after. */
const AT_ONCE = 2 ** 26;

/** What each place of dy adds through each tap, one matrix product an image, and the sums of it. */
export function byFold(engine: Engine, [dy, w]: Inputs, problem: Convolution): Tensor {
  const { n, ci, co, oh, ow, kernel } = problem;
  const [height, width] = sizeOf(dy!);
  const y = engine.empty([n, co, oh, ow]);
  const atOnce = heldAtOnce(
    { maxBinding: Math.min(engine.hardware.maxBinding, AT_ONCE) },
    foldBytes(problem, [height, width]),
  );
  const flops = 2 * n * ci * co * kernel[0] * kernel[1] * height * width;
  engine.standingFor(flops, () =>
    inTurns(engine, { samples: n, atOnce }, [dy], [y], ([dy], [y]) =>
      someByFold(engine, [dy, w], y!, problem),
    ),
  );
  return y;
}

/** y of some images. */
function someByFold(engine: Engine, [dy, w]: Inputs, y: Tensor, problem: Convolution): void {
  const { ci, co, oh, ow, kernel, attrs } = problem;
  const [kh, kw] = kernel;
  const [height, width] = sizeOf(dy!);
  const images = y.dim(0);
  const [m, places] = [co * kh * kw, height * width];
  const z = engine.empty([images, m, places], "f32");
  const sizes = { batch: images, m, n: places, k: ci };
  const weights = { t: w!, batch: 0, row: 1, column: m };
  const inputs = { t: dy!, batch: ci * places, row: places, column: 1 };
  multiply(engine, weights, inputs, z, sizes, matmulWay(engine.hardware, sizes));
  const [[dilationY, dilationX], [top, , left]] = [attrs.dilation, attrs.padding];
  engine.launch(
    convFold,
    {},
    { z, y },
    {
      ...{ planes: images * co, height, width, oh, ow, kh, kw, dilationY, dilationX, top, left },
      ...phasesOf(problem),
    },
  );
  z.dispose();
}
