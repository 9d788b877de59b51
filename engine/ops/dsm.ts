import {
  dsmLossGrad,
  dsmLossSegments,
  dsmLossVariant,
  dsmLoss as lossKernel,
  dsmPerturb as perturbKernel,
} from "../../kernels/dsm.ts";
import { blockVariant } from "../../kernels/random.ts";
import { runVariant } from "../../kernels/runs.ts";
import { UsageError } from "../errors.ts";
import { defineOp } from "../op.ts";
import * as oracle from "../oracle/updates.ts";
import { type Draw, drawNumbers } from "../random.ts";
import { sameShape, showShape } from "../shapes.ts";
import type { Tensor } from "../tensor.ts";
import { add, div, mul } from "./binary.ts";
import { pow } from "./pow.ts";
import { reduceAxes, reshape } from "./reduce.ts";
import { requireFloat } from "./require.ts";
import { scale } from "./scale.ts";

/**
 * noisy = x + sigma z with z ~ N(0, I) drawn in the kernel and returned for the loss. x [n,...], sigma [n].
 * The results have no graph: no gradient goes back to x or sigma. Throws UsageError when sigma has another
 * length, for integers, and for a draw as `randn` does.
 */
export function dsmPerturb(x: Tensor, sigma: Tensor, draw: Draw): { noisy: Tensor; z: Tensor } {
  requireSigma("dsmPerturb", x, sigma);
  const { engine } = x;
  const noisy = engine.empty(x.shape);
  const z = engine.empty(x.shape);
  const numbers = drawNumbers(x.shape, draw);
  const variant = blockVariant(engine.hardware, numbers.sampleSize);
  engine.launch(perturbKernel, variant, { x, sigma, noisy, zs: z }, numbers);
  return { noisy, z };
}

interface Attrs {
  readonly annealPower: number;
}

const lossOp = defineOp<Attrs>({
  name: "dsm_loss",
  forward: (engine, [score, z, sigma], { annealPower }) => {
    const samples = score!.dim(0);
    const sampleSize = score!.size / samples;
    const variant = dsmLossVariant(engine.hardware, sampleSize);
    const segments = dsmLossSegments(sampleSize, variant);
    const parts = engine.empty([samples, segments]);
    engine.launch(
      lossKernel,
      variant,
      { score: score!, z: z!, sigma: sigma!, loss: parts },
      { samples, sampleSize, segments, power: annealPower },
    );
    return engine.track(reduceAxes(engine, "sum", parts, [0, 1], 1 / samples).alias([]));
  },
  vjp: ({ inputs: [score, z, sigma], dy, attrs }) => {
    const column = (t: Tensor) => reshape(t, [t.size, ...score!.shape.slice(1).map(() => 1)]);
    const residual = add(score!, div(z!, column(sigma!)));
    const share = scale(dy, 1 / sigma!.size);
    return [mul(residual, column(mul(share, pow(sigma!, attrs.annealPower))))];
  },
  fusedVjp: ({ engine, inputs: [score, z, sigma], dy, attrs: { annealPower } }) => {
    const dscore = engine.empty(score!.shape);
    const samples = score!.dim(0);
    const sampleSize = score!.size / samples;
    engine.launch(
      dsmLossGrad,
      runVariant(engine.hardware, sampleSize),
      { score: score!, z: z!, sigma: sigma!, dloss: dy, dscore },
      { samples, sampleSize, power: annealPower, share: 1 / samples },
    );
    return [dscore];
  },
  saves: { inputs: [0, 1, 2] },
  oracle: ([score, z, sigma], { annealPower }) => oracle.dsmLoss(score!, z!, sigma!, { annealPower }),
});

/**
 * Denoising score matching, weighted over the noise scales: mean over the batch of
 * sigma^annealPower / 2 |score + z / sigma|^2, summed over a sample's elements. The target -z / sigma is the score of
 * N(x, sigma^2) at x + sigma z (Vincent 2011; Song & Ermon 2019, equations 5 and 6 with lambda = sigma^2).
 * score and z [n,...], sigma [n] -> []. The gradient goes to the score only. Throws UsageError for other shapes,
 * integers and an annealPower that is not finite.
 */
export function dsmLoss(score: Tensor, z: Tensor, sigma: Tensor, { annealPower = 2 } = {}): Tensor {
  requireSigma("dsmLoss", score, sigma);
  requireFloat("dsmLoss", z);
  requireAnnealPower("dsmLoss", annealPower);
  if (!sameShape(score.shape, z.shape))
    throw new UsageError(
      `dsmLoss: got score ${showShape(score.shape)}, z ${showShape(z.shape)}, expected one shape`,
    );
  return lossOp(score.engine, [score, z, sigma], { annealPower });
}

/** Throws UsageError unless the power of sigma that weighs noise scales is finite. */
export function requireAnnealPower(who: string, annealPower: number): void {
  if (!Number.isFinite(annealPower))
    throw new UsageError(`${who}: got annealPower ${annealPower}, expected a finite number`);
}

function requireSigma(who: string, x: Tensor, sigma: Tensor): void {
  requireFloat(who, x);
  requireFloat(who, sigma);
  if (x.rank < 1) throw new UsageError(`${who}: got a scalar, expected [n,...]`);
  if (sigma.rank !== 1 || sigma.dim(0) !== x.dim(0))
    throw new UsageError(
      `${who}: got sigma ${showShape(sigma.shape)} for ${showShape(x.shape)}, expected one for each sample, [${x.dim(0)}]`,
    );
}
