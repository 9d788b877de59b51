import { z } from "zod";
import { projectionNames } from "../../train/losses/projections.ts";
import { matchingNames } from "../../train/objectives/matching.ts";
import { most } from "../limits.ts";
import {
  count,
  countTo,
  flag,
  fromZero,
  number,
  positive,
  section,
  seed,
  share,
  wholeFrom,
} from "./values.ts";

export const precisions = ["f32", "mixed"] as const;

const optimizer = {
  steps: count,
  batchSize: countTo(most.batch).default(128),
  /** How many parts of a batch go through the network one after the other: less memory, the same step. */
  accumulate: count.default(1),
  lr: positive.default(1e-3),
  beta1: share.default(0.9),
  /** Of Adam's denominator. */
  eps: positive.optional(),
  weightDecay: fromZero.default(0),
  /** Steps over which the learning rate rises. */
  warmup: wholeFrom(0).default(0),
  /** 0: the average is the newest weights. */
  emaDecay: share.default(0.999),
  /** The average begins with a smaller decay, (1 + n) / (10 + n), as of 2021; on unless told, off in the 2020 code. */
  emaWarmup: flag.optional(),
  gradClip: positive.optional(),
};

const bookkeeping = {
  /** mixed: activations stored as f16. f32 unless told. */
  precision: z.enum(precisions).optional(),
  /** Keep only what goes into each block of the network and compute the rest again: less memory, more time. */
  checkpointing: flag.optional(),
  seed: seed.default(0),
  checkpointEvery: count.default(500),
  /** How many of the last checkpoints stay. */
  keepLast: count.default(2),
  /** Checkpoints of these steps' multiples stay, too. */
  keepEvery: count.optional(),
  /** Steps between two measurements on the held-back images, with one more at the end; 0: never. */
  evaluateEvery: wholeFrom(0).default(1000),
};

/** Of networks that images are drawn from. */
const samples = {
  /** Steps between two pictures of samples; 0: none. */
  sampleEvery: wholeFrom(0).default(0),
  /** Images of each of them. */
  sampleCount: count.default(16),
};

/** On a ladder of noise scales. */
export const annealedTraining = section({
  ...optimizer,
  /** The power of sigma by which the loss is weighted. */
  annealPower: number("a number").default(2),
  /** How the score is matched: denoising (dsm, unless told), sliced (ssm, ssm-vr) or explicit (hyvarinen). */
  loss: z.enum(matchingNames).optional(),
  /** Of the vectors along which the sliced losses look, and how many for each image. */
  projection: z.enum(projectionNames).optional(),
  particles: count.optional(),
  ...bookkeeping,
  ...samples,
});

/** Of a classifier, on either. */
export const classifierTraining = section({ ...optimizer, ...bookkeeping });

/** On an SDE. */
export const sdeTraining = section({
  ...optimizer,
  /** The loss is the mean over an image's elements; half their sum if false. */
  reduceMean: flag.default(false),
  /** Weight times by g(t)^2 in place of the variance: Song et al. 2021, "Maximum likelihood training". */
  likelihoodWeighting: flag.default(false),
  loss: z
    .literal("dsm", {
      error: 'expected "dsm": the other losses are for a ladder of noise scales, take out sde',
    })
    .optional(),
  ...bookkeeping,
  ...samples,
});
