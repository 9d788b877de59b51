import type { Engine } from "../engine/engine.ts";
import type { Config } from "./config.ts";
import { type Description, describeModel } from "./describe.ts";

/** Whether a training step fits an adapter, and what it is held against: bytes each. */
export interface Fit {
  readonly fits: boolean;
  readonly maxBinding: number;
  /** Infinity where the driver does not tell how much memory there is. */
  readonly budget: number;
  /** The largest batch up to the one asked for that fits; 0 if none does. */
  readonly largestBatch: number;
}

/** Holds a description of a configuration's network against the adapter. */
export function fitOf(engine: Engine, config: Config, asked: Description): Fit {
  const { maxBinding } = engine;
  const { budget } = engine.memory();
  const fits = ({ largestBinding, memory }: Description) =>
    largestBinding <= maxBinding && memory.peak <= budget;
  const limits = { maxBinding, budget };
  const [count] = asked.batch;
  if (fits(asked)) return { fits: true, ...limits, largestBatch: count };
  let [least, most] = [0, count]; // a step needs more the larger its batch
  while (most - least > 1) {
    const middle = (least + most) >> 1;
    if (fits(describeModel(engine, config, middle))) least = middle;
    else most = middle;
  }
  return { fits: false, ...limits, largestBatch: least };
}
