import { UsageError } from "../engine/errors.ts";
import { readSafetensors, writeSafetensors } from "../engine/safetensors.ts";
import type { Tensor } from "../engine/tensor.ts";
import { allFinite } from "../engine/verify.ts";
import type { Module, State } from "../models/module.ts";
import type { Output } from "../models/prediction.ts";
import { DivergedError, type Trainer } from "./trainer.ts";

// A checkpoint is one safetensors file: the network under its official names, the running averages as ema.NAME,
// Adam's moments as adam.m.NAME and adam.v.NAME, and in the metadata the steps taken, the configuration and the shape
// of the images, so that a checkpoint can be sampled without the data it was trained on.

const FORMAT = "stein-checkpoint-1";

export interface Checkpoint {
  readonly step: number;
  /** The configuration as YAML, as it was resolved. */
  readonly config: string;
  /** [c, h, w] of the images. */
  readonly image: readonly [number, number, number];
  /** How many images it was trained on: of another number a step sees others. Unknown of a network from elsewhere. */
  readonly imageCount: number | undefined;
  readonly network: State;
  /** The running averages under the parameters' names; empty when the run kept none. */
  readonly ema: State;
  readonly optimizer: ReadonlyMap<string, { shape: readonly number[]; data: Float32Array<ArrayBuffer> }>;
  readonly emaUpdates: number;
}

/**
 * Everything a run needs to go on exactly where it stands, as the bytes of one file. Throws DivergedError when
 * something of it is not finite: such a file would be of no use, and take the place of one that is.
 */
export async function packCheckpoint(
  network: Module,
  trainer: Trainer<Output>,
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
  for (const [name, { data }] of entries)
    if (!allFinite(data)) throw new DivergedError(`${name} is not finite after step ${steps - 1}`, steps);
  const { imageShape: image, imageCount } = trainer;
  return write(entries, { step: steps, emaUpdates, image, imageCount, config });
}

/** A checkpoint's bytes for values that come from elsewhere, to be sampled from: no steps taken, no optimizer. */
export function packValues({
  network,
  ema,
  image,
  config,
}: Pick<Checkpoint, "network" | "ema" | "image" | "config">): Uint8Array<ArrayBuffer> {
  const averages = [...ema].map(([name, entry]) => [`ema.${name}`, entry] as const);
  return write(new Map([...network, ...averages]), {
    step: 0,
    emaUpdates: 0,
    image,
    imageCount: undefined,
    config,
  });
}

function write(
  entries: State,
  {
    step,
    emaUpdates,
    image,
    imageCount,
    config,
  }: Pick<Checkpoint, "step" | "emaUpdates" | "image" | "imageCount" | "config">,
): Uint8Array<ArrayBuffer> {
  return writeSafetensors(entries, {
    format: FORMAT,
    step: `${step}`,
    emaUpdates: `${emaUpdates}`,
    image: JSON.stringify(image),
    ...(imageCount !== undefined && { imageCount: `${imageCount}` }),
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
  const { format, config, ...numbers } = file.metadata;
  const { imageCount } = numbers;
  if (format !== FORMAT)
    throw new UsageError(
      `checkpoint: ${name} is a safetensors file but no checkpoint of stein's ` +
        `(format ${format ?? "absent"}, expected ${FORMAT}); give a run's checkpoint`,
    );
  if (config === undefined)
    throw new UsageError(
      `checkpoint: ${name} holds no configuration, it is damaged; give another checkpoint`,
    );
  const [step, emaUpdates, ...image] = wholeNumbers(
    `[${numbers.step},${numbers.emaUpdates},${numbers.image}]`,
  );
  const [count] = wholeNumbers(`[${imageCount ?? 0}]`);
  if (step === undefined || emaUpdates === undefined || image.length !== 3 || count === undefined)
    throw new UsageError(
      `checkpoint: ${name} has metadata ${JSON.stringify(numbers)}, expected whole numbers for step, emaUpdates, ` +
        "the three of image and imageCount, if there is one; it was damaged, copy it again",
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
  const [c, h, w] = image as [number, number, number];
  return {
    ...{ step, config, image: [c, h, w], network, ema, optimizer, emaUpdates },
    imageCount: imageCount === undefined ? undefined : count,
  };
}

/** The numbers of a JSON array, nested or not; none unless all are whole and from 0. */
function wholeNumbers(json: string): number[] {
  try {
    const values = (JSON.parse(json) as unknown[]).flat();
    return values.every((v) => Number.isSafeInteger(v) && (v as number) >= 0) ? (values as number[]) : [];
  } catch {
    return [];
  }
}

/**
 * Puts a checkpoint's values into a network and its trainer, which go on as if never stopped. Throws UsageError, and changes
 * nothing, where it is of another network or another optimizer.
 */
export function restore(checkpoint: Checkpoint, network: Module, trainer: Trainer<Output>): void {
  network.requireFit(checkpoint.network);
  const values = [...trainer.optimizer.tensors()].map(([name, t]) => {
    const entry = checkpoint.optimizer.get(name);
    if (!entry || entry.data.length !== t.size)
      throw new UsageError(
        `checkpoint: ${name} is ${entry ? "of another shape" : "missing"}; was the model or emaDecay changed since?`,
      );
    return [t, entry.data] as const;
  });
  network.load(checkpoint.network);
  for (const [t, data] of values) t.write(data);
  trainer.optimizer.state = { steps: checkpoint.step, emaUpdates: checkpoint.emaUpdates };
}

/** Network values for sampling: the running averages where the run kept them. */
export function samplingState({ network, ema }: Pick<Checkpoint, "network" | "ema">): State {
  return new Map([...network].map(([name, entry]) => [name, ema.get(name) ?? entry]));
}
