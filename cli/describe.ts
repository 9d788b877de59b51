import { grad } from "../engine/autograd.ts";
import { boundBytes, flopsOf } from "../engine/dry.ts";
import type { Engine } from "../engine/engine.ts";
import { UsageError } from "../engine/errors.ts";
import { Adam } from "../engine/optim/adam.ts";
import { GradientSum } from "../engine/optim/gradient-sum.ts";
import { shapeSize } from "../engine/shapes.ts";
import { setCheckpointing } from "../models/blocks/index.ts";
import { describe, type Layer } from "../models/describe.ts";
import { type StepMemory, stepMemory } from "../train/memory.ts";
import type { MatchingName } from "../train/objectives/matching.ts";
import { isLabelled } from "./config/model.ts";
import type { Config } from "./config.ts";
import { imageOf, openNetwork } from "./network.ts";
import { lossName, stepLoss } from "./step-loss.ts";

export interface Description {
  readonly network: string;
  readonly predicts: "score" | "eps";
  /** The loss of which a step's operations and memory are told. */
  readonly loss: MatchingName;
  /** [n,c,h,w] of the images that go through the network at once. */
  readonly batch: readonly [number, number, number, number];
  readonly parameters: number;
  /** Floating point operations of the batch, a multiply-add counted as two. */
  readonly flops: { readonly forward: number; readonly step: number };
  /** Bytes of a training step. */
  readonly memory: StepMemory;
  /** Bytes of the largest tensor that a kernel has to bind as a whole. */
  readonly largestBinding: number;
  readonly layers: Layer;
}

/**
 * What a configuration's network is made of and what a training step of it needs, found by walking through it: nothing is
 * computed and no memory of the device is taken. Throws UsageError for a network that cannot be, and for a batch that no
 * array can hold.
 */
export function describeModel(
  engine: Engine,
  config: Config,
  count = config.training.batchSize / config.training.accumulate,
): Description {
  const image = imageOf(config);
  const batch = [count, image.channels, image.height, image.height] as const;
  if (shapeSize(batch) >= 2 ** 31)
    throw new UsageError(
      `model describe: got --batch ${count}, images of ${shapeSize(batch)} numbers together, expected less than 2^31`,
    );
  let [largestBinding, step] = [0, 0];
  return engine.dry(
    () => {
      const network = openNetwork(engine, config, image);
      setCheckpointing(network, config.training.checkpointing ?? false);
      const x = engine.empty(batch);
      const condition = engine.empty([count], isLabelled(config.model) ? "i32" : "f32");
      const layers = describe(engine, network, () => network.run(x, condition));
      const params = network.parameters();
      const { lr, emaDecay, accumulate } = config.training;
      const shapes = [...[...params.values()].map((p) => p.shape), []]; // gradients, and the loss
      const sums = accumulate > 1 ? new GradientSum(engine, shapes, accumulate).means : [];
      const loss = stepLoss(engine, config, network, count);
      [largestBinding, step] = [0, 0];
      const memory = stepMemory(
        engine,
        new Adam(params, { lr, emaDecay }),
        () => loss(x, condition),
        (loss) => grad(loss, [...params.values()]),
        sums,
      );
      return {
        network: layers.kind,
        predicts: network.predicts,
        loss: lossName(config),
        batch,
        parameters: layers.parameters,
        flops: { forward: layers.flops, step },
        memory,
        largestBinding,
        layers,
      };
    },
    (launch) => {
      largestBinding = Math.max(largestBinding, boundBytes(launch));
      step += flopsOf(launch);
    },
  );
}
