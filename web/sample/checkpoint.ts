import { UsageError } from "../../engine/errors.ts";
import { readCheckpoint } from "../../train/checkpoint.ts";
import type { SigmaOptions } from "../../train/sigmas.ts";

/** What the page's checkpoint is and how it was made; scripts/web-checkpoint.ts writes it. */
export interface About {
  readonly name: string;
  readonly made: string;
  /** Which weights of the run. */
  readonly weights: string;
  readonly steps: number;
  readonly batchSize: number;
  readonly seed: number;
  readonly parameters: number;
  /** [c, h, w] */
  readonly image: readonly [c: number, h: number, w: number];
  /** Digits that were kept from training. */
  readonly heldBack: number;
  readonly channels?: readonly number[];
  readonly sigmas: SigmaOptions;
  readonly sampling: { readonly stepsPerLevel: number; readonly epsilon: number; readonly seed: number };
  /** Of the file of weights. */
  readonly sha256: string;
}

/** A trained network that is not on the device yet. */
export interface Shipped {
  readonly about: About;
  readonly state: ReturnType<typeof readCheckpoint>["network"];
}

const weights = new URL("../assets/digits.safetensors", import.meta.url);
const description = new URL("../assets/digits.json", import.meta.url);

/** The network that comes with the page. Throws UsageError where a file does not come. */
export async function fetchShipped(signal: AbortSignal): Promise<Shipped> {
  const [bytes, about] = await Promise.all([
    fetched(weights, signal).then((response) => response.arrayBuffer()),
    fetched(description, signal).then((response) => response.json() as Promise<About>),
  ]);
  return { about, state: readCheckpoint(new Uint8Array(bytes), "digits.safetensors").network };
}

async function fetched(url: URL, signal: AbortSignal): Promise<Response> {
  const response = await fetch(url, { signal });
  if (!response.ok)
    throw new UsageError(`sample: ${url} did not come (status ${response.status}); load the page again`);
  return response;
}
