import { aloneTime } from "../bench/processor.ts";
import { grad } from "../engine/autograd.ts";
import type { Engine } from "../engine/engine.ts";
import { setCheckpointing } from "../models/blocks/index.ts";
import { isLabelled } from "./config/model.ts";
import type { Config } from "./config.ts";
import { imageOf, openNetwork } from "./network.ts";
import { stepLoss } from "./step-loss.ts";

/** Images that go through the network at once. */
interface Batches {
  readonly training: number;
  readonly sampling: number;
}

/** What a configuration says. */
export const batchesOf = ({ training, sampling }: Config): Batches => ({
  training: training.batchSize / training.accumulate,
  sampling: Math.min(sampling.count, sampling.batchSize),
});

/** On a software driver under Linux kernels are timed by their own work, which other processes delay but do not add to. */
export const tuningClock = ({ driver }: Engine): { clock?: () => number } =>
  driver.software && aloneTime() !== undefined ? { clock: () => aloneTime()! } : {};

/** A training step of a configuration's network and a network call of its sampler, to be walked through. */
export function walkSteps(engine: Engine, config: Config, batches: Batches): void {
  const image = imageOf(config);
  const network = openNetwork(engine, config, image);
  setCheckpointing(network, config.training.checkpointing ?? false);
  const inputs = (count: number) =>
    [
      engine.empty([count, image.channels, image.height, image.height]),
      engine.empty([count], isLabelled(config.model) ? "i32" : "f32"),
    ] as const;
  engine.scope(() => {
    const loss = stepLoss(engine, config, network, batches.training)(...inputs(batches.training));
    grad(loss, [...network.parameters().values()]);
  });
  engine.noGrad(() => engine.scope(() => void network.run(...inputs(batches.sampling))));
}
