import { z } from "zod";
import {
  embeddingTypes,
  progressiveCombineTypes,
  progressiveInputTypes,
  progressiveTypes,
  resblockTypes,
  type ScoreNetName,
} from "../../models/index.ts";
import { activationNames, plainNormNames } from "../../models/layers/index.ts";
import { count, flag, fromZero, listOf, number, positive, section, share } from "./values.ts";

const act = z.enum(activationNames).optional();

/** The networks of 2019 and 2020. */
const refineNet = <N extends ScoreNetName>(name: N) =>
  section({
    name: z.literal(name).default(name as z.util.NoUndefined<N>),
    /** Channels of the finest level. */
    ngf: count.optional(),
    normalization: z.enum(plainNormNames).optional(),
    act,
  });

/** What DDPM and NCSN++ have in common. */
const uNet = {
  /** Channels of the finest level, and of each level in units of it. */
  nf: count,
  chMult: listOf(count, "whole numbers, such as [1, 2, 2, 2]"),
  numResBlocks: count,
  attnResolutions: listOf(count, "sides of images, such as [16]"),
  resampWithConv: flag.optional(),
  conditional: flag.optional(),
  act,
  scaleBySigma: flag.optional(),
  dropout: share.optional(),
};

const threeLevels = { error: "expected a list of 3 whole numbers, such as [8, 24, 48]" };

/** The networks by name, with the options that each has. */
export const models = {
  ncsn: refineNet("ncsn"),
  "ncsn-deeper": refineNet("ncsn-deeper"),
  "ncsn-small": section({
    name: z.literal("ncsn-small"),
    /** Channels of each level, finest first. */
    channels: z.array(count, threeLevels).length(3, threeLevels).optional(),
  }),
  ncsnv2: refineNet("ncsnv2"),
  ncsnpp: section({
    name: z.literal("ncsnpp"),
    ...uNet,
    fir: flag.optional(),
    firKernel: listOf(number("a number"), "numbers, such as [1, 3, 3, 1]").optional(),
    skipRescale: flag.optional(),
    resblockType: z.enum(resblockTypes).optional(),
    progressive: z.enum(progressiveTypes).optional(),
    progressiveInput: z.enum(progressiveInputTypes).optional(),
    progressiveCombine: z.enum(progressiveCombineTypes).optional(),
    embeddingType: z.enum(embeddingTypes).optional(),
    fourierScale: positive.optional(),
    initScale: fromZero.optional(),
  }),
  ddpm: section({ name: z.literal("ddpm"), ...uNet }),
} satisfies Record<ScoreNetName, z.ZodObject>;

export type Model = { [N in ScoreNetName]: z.infer<(typeof models)[N]> }[ScoreNetName];
type UNetModel = Extract<Model, { name: "ncsnpp" | "ddpm" }>;
/** The networks of 2019 and 2020, which look their noise up in a table by its number. */
export type LabelledModel = Exclude<Model, UNetModel>;

export const isLabelled = (model: Model): model is LabelledModel =>
  model.name !== "ncsnpp" && model.name !== "ddpm";
