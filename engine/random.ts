import { blockVariant, type RandomVariant, randomFill } from "../kernels/random.ts";
import type { Engine } from "./engine.ts";
import { expectedOneOf, UsageError } from "./errors.ts";
import { greaterEqual, sub } from "./ops/binary.ts";
import { scale } from "./ops/scale.ts";
import type { ScalarLike } from "./scalar.ts";
import { requireShape, shapeSize } from "./shapes.ts";
import type { Shape, Tensor } from "./tensor.ts";

/** What a draw is for, in 8 bits: draws of different purposes never meet, whatever their steps. */
export const purposes = {
  init: 1,
  perturb: 2,
  labels: 3,
  dropout: 4,
  sampler: 5,
  prior: 6,
  user: 7,
  accept: 8,
} as const;
export type Purpose = keyof typeof purposes;

/** Where the random numbers of a step come from, whatever each of them is for. */
export interface DrawSource {
  /** A whole number below 2^53. */
  seed: number;
  /** Which of the seed's steps, a whole number below 2^32; a Scalar moves on between the replays of a captured step. */
  step?: ScalarLike;
  /** Index of the first sample, below 2^32; a Scalar, as `step`. */
  sampleOffset?: ScalarLike;
}

/**
 * Names a draw: the same Draw gives the same numbers on every adapter to rounding, whatever the batch. The first
 * axis of a shape counts samples, so that a batch split by `sampleOffset` draws what the whole would. Every law makes
 * its numbers of the Draw's words: `rand`, `randn` and `randbits` of one Draw depend on each other. Where independent
 * numbers are wanted, take another `site`.
 */
export interface Draw extends DrawSource {
  purpose: Purpose;
  /** Which of a purpose's draws within one step: a whole number below 2^24. */
  site?: number;
}

/** Numbers past these bits would name a draw that has another name. What Scalars will hold is not known yet. */
function requireBits(numbers: Readonly<Record<string, ScalarLike>>, bits: number): void {
  for (const [name, value] of Object.entries(numbers))
    if (typeof value === "number" && !(Number.isInteger(value) && value >= 0 && value < 2 ** bits))
      throw new UsageError(`random: got ${name} ${value}, expected a whole number from 0 to 2^${bits} - 1`);
}

/** A draw as kernels take it. Throws UsageError for a purpose that is none and for numbers out of their range. */
export function drawNumbers(shape: Shape, { seed, purpose, step = 0, sampleOffset = 0, site = 0 }: Draw) {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new UsageError(`random: got seed ${seed}, expected a whole number from 0 to 2^53 - 1`);
  if (!Object.hasOwn(purposes, purpose))
    throw new UsageError(`random: got purpose ${purpose}, ${expectedOneOf(purpose, Object.keys(purposes))}`);
  requireBits({ step, sampleOffset }, 32);
  requireBits({ site }, 24);
  const samples = shape.length === 0 ? 1 : shape[0]!;
  return {
    samples,
    sampleSize: shapeSize(shape) / samples,
    seedLow: seed % 2 ** 32,
    seedHigh: Math.floor(seed / 2 ** 32),
    step,
    purpose: purposes[purpose] + 256 * site,
    offset: sampleOffset,
  };
}

/** What becomes of each number z: z scale + shift. */
export interface Affine {
  readonly scale?: number;
  readonly shift?: number;
}

function draw(
  engine: Engine,
  law: RandomVariant["law"],
  shape: Shape,
  spec: Draw,
  { scale = 1, shift = 0 }: Affine = {},
): Tensor {
  requireShape("random", shape);
  const y = engine.empty(shape, law === "bits" ? "u32" : "f32");
  const numbers = { ...drawNumbers(shape, spec), scale, shift };
  // A sample alone may draw past its end, into what the size class of its memory adds: no other variant for an odd length.
  const drawn = numbers.samples === 1 ? Math.ceil(numbers.sampleSize / 4) * 4 : numbers.sampleSize;
  engine.launch(randomFill, { ...blockVariant(engine.hardware, drawn), law }, { y }, numbers);
  return y;
}

/**
 * Standard normal numbers by Box-Muller, |z| below 5.8, times `scale` plus `shift`: shape -> f32 of it. Throws UsageError for
 * lengths that are no whole numbers from 1, for a purpose that is none and for numbers of the draw out of their range.
 */
export const randn = (engine: Engine, shape: Shape, spec: Draw, affine?: Affine): Tensor =>
  draw(engine, "normal", shape, spec, affine);

/** Uniform numbers on [0, 1), on a grid of 2^-24, times `scale` plus `shift`: shape -> f32 of it. Throws as randn. */
export const rand = (engine: Engine, shape: Shape, spec: Draw, affine?: Affine): Tensor =>
  draw(engine, "uniform", shape, spec, affine);

/** Uniform 32-bit words: shape -> u32 of it. Throws as randn. */
export const randbits = (engine: Engine, shape: Shape, spec: Draw): Tensor =>
  draw(engine, "bits", shape, spec);

/** Signs, 1 or -1 with equal odds: shape -> f32 of it. Throws as randn. */
export const rademacher = (engine: Engine, shape: Shape, spec: Draw): Tensor =>
  sub(scale(greaterEqual(rand(engine, shape, spec), 0.5), 2), 1);
