import type { Engine } from "../engine/engine.ts";
import { mean, square } from "../engine/ops/index.ts";
import type { Tensor } from "../engine/tensor.ts";
import type { ScoreNet } from "../models/index.ts";
import { Batches } from "../train/batches.ts";
import type { MatchingName } from "../train/objectives/matching.ts";
import type { Config } from "./config.ts";
import { objectiveOf } from "./objective.ts";

/** The loss that a configuration's training minimises. */
export const lossName = ({ sde, training }: Config): MatchingName => (!sde && training.loss) || "dsm";

/**
 * What a training step of so many images differentiates, from x [count,c,h,w] and its condition [count] to a scalar, to be walked
 * through. A mean of squares stands for a denoising loss: that adds no more to what the network needs than a few
 * batches of images. A loss that differentiates the score, and so needs a graph of the second order, is walked through itself.
 */
export function stepLoss(
  engine: Engine,
  config: Config,
  network: ScoreNet<"score" | "eps">,
  count: number,
): (x: Tensor, condition: Tensor) => Tensor {
  const { seed, precision } = config.training;
  const trained = (image: Tensor, told: Tensor) =>
    engine.autocast(() => network.run(image, told, { dropout: { seed } }), precision === "mixed");
  if (lossName(config) === "dsm") return (x, condition) => mean(square(trained(x, condition)));
  const batches = new Batches({ count, size: count, seed: 0, order: inOrder });
  const objective = objectiveOf(engine, config, batches);
  const model = Object.assign(trained, { predicts: network.predicts });
  return (x) => objective.loss(model, x, { seed });
}

const inOrder = (count: number) => Uint32Array.from({ length: count }, (_, i) => i);
