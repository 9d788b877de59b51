import type { HostArray } from "./inputs.ts";
import type { Problem } from "./workloads.ts";

/** What an engine says of itself. */
export interface Introduction {
  /** As its driver names it; undefined where the engine does not tell. */
  readonly adapter: string | undefined;
  /** Versions of its packages. */
  readonly versions: Readonly<Record<string, string>>;
}

/** Results by their names, images as NCHW and weights as OIHW. */
export type Results = Record<string, Float32Array<ArrayBuffer>>;

/** A problem made ready in an engine: inputs on the device. */
export interface Work {
  /** Does the work and returns what is compared. A training step is told the noise to use, or tells which it drew. */
  check(noise: HostArray | undefined): Promise<{ results: Results; noise?: HostArray }>;
  /** Asks the device for the work once. May return before it is done, if the engine has `finish`. */
  run(): unknown;
}

/** Another engine, or ours, in a process of its own. */
export interface PeerEngine extends Introduction {
  /** Makes a problem ready, or says why it cannot. */
  prepare(problem: Problem): Promise<Work | Cannot>;
  /** Waits until the device has done all that was asked, for engines whose `run` returns before. */
  finish?(): Promise<unknown>;
}

/** How many training steps with one noise a check takes: the later losses tell whether the first moved the weights rightly. */
export const TRAINING_CHECKS = 3;

export interface Cannot {
  readonly cannot: string;
}

export const isWork = (made: Work | Cannot): made is Work => "run" in made;
