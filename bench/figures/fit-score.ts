import { hash } from "../../data/random.ts";
import { grad } from "../../engine/autograd.ts";
import type { Capture } from "../../engine/capture.ts";
import type { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import { dsmPerturb, reshape } from "../../engine/ops/index.ts";
import { Adam } from "../../engine/optim/adam.ts";
import type { DrawSource } from "../../engine/random.ts";
import { Scalar } from "../../engine/scalar.ts";
import { copyStrided } from "../../engine/strided.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { Init, ToyScore } from "../../models/index.ts";
import { dsmAt, implicitLoss, type MatchingName } from "../../train/index.ts";
import { matchingOf } from "../../train/objectives/matching.ts";
import type { Law } from "./law.ts";

interface FitOptions {
  loss: MatchingName;
  steps: number;
  batch: number;
  lr: number;
  /** Where the learning rate ends, along half a cosine; at `lr` unless given. */
  lrEnd?: number;
  /** Width of the hidden layers. */
  hidden: number;
  /** Sines and cosines beside the coordinates; none unless given. */
  frequencies?: number;
  seed: number;
  /** Decay of the average of the weights that the network ends with; the last weights themselves if 0. */
  emaDecay?: number;
  /** Told after each wait for the device how many steps are done. */
  onProgress?: (done: number) => void;
}

interface Fit {
  readonly network: ToyScore;
  /** Of each step, on the batch it was taken with. */
  readonly losses: Float32Array;
}

/** Steps that the host may be ahead of the device. */
const AHEAD = 50;

/**
 * Trains a small network on the score of a blurred law by a loss, with fresh points at every step; one captured step is
 * replayed. The same seed gives the same points and noise to every loss. The network is the caller's to dispose.
 * Throws UsageError for denoising at a blur of 0, where it has no target.
 */
export async function fitScore(engine: Engine, law: Law, options: FitOptions): Promise<Fit> {
  const { loss, steps, batch, lr, hidden, frequencies = 0, seed, emaDecay = 0.99, onProgress } = options;
  const { lrEnd = lr } = options;
  if (loss === "dsm" && !(law.sigma > 0))
    throw new UsageError(
      `fitScore: got dsm on ${law.name} without a blur, expected sigma above 0, or another loss`,
    );
  const network = new ToyScore(new Init(engine, seed), { hidden, frequencies });
  const parameters = network.parameters();
  const weights = [...parameters.values()];
  const optimizer = new Adam(parameters, { lr, ...(emaDecay > 0 && { emaDecay }) });
  const x = engine.untrack(engine.zeros([batch, 2]));
  const losses = engine.untrack(engine.zeros([steps]));
  const [draw, slot] = [new Scalar(0), new Scalar(0)];
  const step = () => {
    const value = lossOf(network, x, law.sigma, loss, { seed, step: draw });
    optimizer.apply(grad(value, weights).map((g) => g!));
    copyStrided(engine, reshape(value, [1]), losses, [1], [1], [1], 0, slot);
  };
  let capture: Capture<void> | undefined;
  try {
    for (let k = 0; k < steps; k++) {
      x.write(law.clean(batch, hash(seed, k)));
      draw.value = k;
      slot.value = k;
      optimizer.options.lr = lrEnd + ((lr - lrEnd) * (1 + Math.cos((Math.PI * k) / steps))) / 2;
      optimizer.advance();
      if (capture) capture.replay();
      else capture = engine.capture(step);
      if ((k + 1) % AHEAD !== 0) continue;
      await engine.sync();
      onProgress?.(k + 1);
    }
    for (const [name, average] of optimizer.ema?.shadow ?? []) engine.copy(average, parameters.get(name)!);
    return { network, losses: (await losses.data()) as Float32Array };
  } finally {
    capture?.dispose();
    optimizer.dispose();
    for (const t of [x, losses]) t.dispose();
  }
}

/** The loss of a score at the points x blurred by sigma. */
function lossOf(network: ToyScore, x: Tensor, sigma: number, loss: MatchingName, source: DrawSource): Tensor {
  const { engine } = x;
  const score = (y: Tensor) => network.run(y);
  const noise = { ...source, purpose: "perturb" } as const;
  if (loss === "dsm") return dsmAt(score, x, { sigma, draw: noise });
  const points = sigma > 0 ? dsmPerturb(x, engine.full([x.dim(0)], sigma), noise).noisy : x;
  return implicitLoss(matchingOf(loss, {}, source)(score, points));
}

/** The network's score at points [n, 2], on the host. */
export async function scoreAt(
  engine: Engine,
  network: ToyScore,
  points: ArrayLike<number>,
): Promise<Float32Array> {
  const evaluate = () =>
    network.run(engine.tensor(Float32Array.from(points), [points.length / 2, 2])).alias();
  const values = engine.scope(() => engine.noGrad(evaluate));
  const host = (await values.data()) as Float32Array;
  values.dispose();
  return host;
}
