import type { Engine } from "../../engine/engine.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import type { Marginal, OdePoint, ScoreFunction } from "../../samplers/index.ts";

/** Noise that images have in them, and what the network is told of it. */
export interface NoiseLevel extends Marginal<number> {
  readonly told: number;
}

/** How far a batch has come: with its images all that is needed to go on. */
export type Point = Pick<OdePoint, "done"> & Partial<OdePoint>;

/** What is told after each step of a method. */
export interface Moment {
  /** The images as they are now, [n,c,h,w]; read them before the callback returns. */
  readonly x: Tensor;
  readonly point: Point;
  /** How far, of the method's `total`. */
  readonly progress: number;
  /** The noise level, in words. */
  readonly note: string;
  /** The noise that is left in x; undefined where there is none. */
  readonly noise: NoiseLevel | undefined;
}

/** A batch of the images of a seed. */
interface Batch {
  readonly shape: Shape;
  /** Index of the first image. */
  readonly sampleOffset: number;
  /** Where an earlier call stopped. */
  readonly left?: { readonly start: Tensor; readonly point: Point } | undefined;
  readonly onStep: (moment: Moment) => Promise<void>;
}

/** A sampler with all that a configuration says of it. */
export interface Method {
  /** Steps that a batch takes, or percent of the way where the sampler chooses its steps. */
  readonly total: number;
  readonly unit: "steps" | "%";
  /** Returns the images, the caller's to dispose, and the evaluations of the score for each. */
  draw(engine: Engine, score: ScoreFunction, batch: Batch): Promise<{ x: Tensor; nfe: number }>;
}

/** What samplers take of a batch. */
export const chainOf = ({ sampleOffset, left }: Batch, seed: number) => ({
  seed,
  sampleOffset,
  ...(left && { start: left.start, done: left.point.done }),
});

export const short = (value: number): string => String(Number(value.toPrecision(2)));
export const sigmaNote = (sigma: number) => `sigma ${short(sigma)}`;
