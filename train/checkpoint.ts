import { UsageError } from "../engine/errors.ts";
import { readSafetensors, writeSafetensors } from "../engine/safetensors.ts";
import type { Tensor } from "../engine/tensor.ts";
import type { Module, State } from "../models/module.ts";
import type { Trainer } from "./trainer.ts";

// A checkpoint is one safetensors file: the network under its official names, the running averages as ema.NAME,
// Adam's moments as adam.m.NAME and adam.v.NAME, and in the metadata the steps taken and the configuration.

export interface Checkpoint {
  readonly step: number;
  /** The configuration as YAML, as it was resolved. */
  readonly config: string;
  readonly network: State;
  /** The running averages under the parameters' names; empty when the run kept none. */
  readonly ema: State;
  readonly optimizer: ReadonlyMap<string, { shape: readonly number[]; data: Float32Array<ArrayBuffer> }>;
  readonly emaUpdates: number;
}

/** Everything a run needs to go on exactly where it stands, as the bytes of one file. */
export async function packCheckpoint(
  network: Module,
  trainer: Trainer,
  config: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const { optimizer, engine } = trainer;
  const named = new Map<string, Tensor>(network.named());
  for (const [name, t] of optimizer.tensors()) named.set(name.startsWith("ema.") ? name : `adam.${name}`, t);
  const values = await engine.readAll([...named.values()]);
  const entries = new Map(
    [...named].map(([name, t], i) => [
      name,
      { shape: t.shape, data: values[i] as Float32Array<ArrayBuffer> },
    ]),
  );
  const { steps, emaUpdates } = optimizer.state;
  return writeSafetensors(entries, {
    format: "stein-checkpoint-1",
    step: `${steps}`,
    emaUpdates: `${emaUpdates}`,
    config,
  });
}

/** Reads a checkpoint's bytes; `name` stands in messages. Throws UsageError for a truncated or foreign file. */
export function readCheckpoint(bytes: Uint8Array, name: string): Checkpoint {
  let file: ReturnType<typeof readSafetensors>;
  try {
    file = readSafetensors(bytes);
  } catch (cause) {
    throw new UsageError(`checkpoint: ${name} cannot be read: ${(cause as Error).message}`);
  }
  const { format, step, emaUpdates, config } = file.metadata;
  if (format !== "stein-checkpoint-1" || config === undefined)
    throw new UsageError(
      `checkpoint: ${name} is a safetensors file but no checkpoint of stein's (format ${format ?? "absent"}); give a run's checkpoint`,
    );
  const network = new Map<string, { shape: readonly number[]; data: Float32Array<ArrayBuffer> }>();
  const ema: typeof network = new Map();
  const optimizer: typeof network = new Map();
  for (const [full, { shape, data }] of file.tensors) {
    const entry = { shape, data: data as Float32Array<ArrayBuffer> };
    if (full.startsWith("ema.")) {
      ema.set(full.slice("ema.".length), entry);
      optimizer.set(full, entry);
    } else if (full.startsWith("adam.")) optimizer.set(full.slice("adam.".length), entry);
    else network.set(full, entry);
  }
  return { step: Number(step), config, network, ema, optimizer, emaUpdates: Number(emaUpdates) };
}

/** Puts a checkpoint's values into a network and its trainer, which go on as if never stopped. */
export function restore(checkpoint: Checkpoint, network: Module, trainer: Trainer): void {
  network.load(checkpoint.network);
  for (const [name, t] of trainer.optimizer.tensors()) {
    const entry = checkpoint.optimizer.get(name);
    if (!entry || entry.data.length !== t.size)
      throw new UsageError(
        `checkpoint: ${name} is ${entry ? "of another shape" : "missing"}; was the model or emaDecay changed since?`,
      );
    t.write(entry.data);
  }
  trainer.optimizer.state = { steps: checkpoint.step, emaUpdates: checkpoint.emaUpdates };
}

/** Network values for sampling: the running averages where the run kept them. */
export function samplingState({ network, ema }: Checkpoint): State {
  return new Map([...network].map(([name, entry]) => [name, ema.get(name) ?? entry]));
}
