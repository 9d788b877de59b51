import { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import type { ScoreFunction } from "../../samplers/index.ts";
import type { Checkpoint } from "../../train/checkpoint.ts";
import { type Config, parseConfig, type SdeConfig } from "../config.ts";
import { openNetwork } from "../network.ts";
import { openCheckpoint } from "../run.ts";
import type { Size } from "../sampler.ts";
import { scoreOf } from "../score.ts";
import { weightsOf } from "../weights.ts";

/** A trained network that is not on the device yet. */
export interface Trained<C extends Config = Config> {
  /** The run's folder or the checkpoint's file, as it was given. */
  readonly path: string;
  readonly checkpoint: Checkpoint;
  readonly config: C;
  readonly size: Size;
}

/** Opens a run's folder or a checkpoint file. Throws UsageError when there is none or it is damaged. */
export function openTrained(path: string): Trained {
  const checkpoint = openCheckpoint(path);
  const [c, h, w] = checkpoint.image;
  const config = parseConfig(checkpoint.config, "the checkpoint's configuration");
  return { path, checkpoint, config, size: { c, h, w } };
}

/** The same, known to be on an SDE. Throws UsageError for a ladder of noise scales. */
export function onSde(who: string, { config, ...rest }: Trained): Trained<SdeConfig> {
  if (config.sde) return { ...rest, config };
  throw new UsageError(
    `${who}: got a network on a ladder of noise scales, expected one on an SDE; ` +
      "train one with an sde section in its configuration",
  );
}

/**
 * The same, known to be on an SDE at any of its times. Throws UsageError for networks that know only the steps of a
 * chain: between them their score jumps, of which an ODE solver can make nothing.
 */
export function inTime(who: string, trained: Trained): Trained<SdeConfig> {
  const on = onSde(who, trained);
  const { sde } = on.config;
  if (sde.continuous) return on;
  throw new UsageError(
    `${who}: got a network that knows only its ${sde.numScales} steps, expected one that knows all times, ` +
      "for the probability flow goes through them; train one with sde.continuous true",
  );
}

/** Opens the device, and the network's score on it: of the running averages, or of the newest weights if `raw`. */
export async function withScore<T>(
  { path, checkpoint, config, size }: Trained,
  raw: boolean | undefined,
  use: (engine: Engine, score: ScoreFunction) => Promise<T>,
): Promise<T> {
  const weights = weightsOf(checkpoint, path, raw);
  const engine = await Engine.create();
  try {
    const network = openNetwork(engine, config, { channels: size.c, height: size.h });
    network.load(weights);
    return await use(engine, scoreOf(network, config));
  } finally {
    engine.destroy();
  }
}
