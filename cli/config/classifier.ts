import { z } from "zod";
import type { ClassifierName } from "../../models/index.ts";
import { type Parts, trainingDisagreement } from "./agreement.ts";
import type { sdes } from "./noise.ts";
import { count, positive, section } from "./values.ts";

/** As many classes as the built-in sets have. */
const classes = count.default(10);

const threeWidths = { error: "expected a list of 3 whole numbers, such as [16, 32, 64]" };

/** The classifiers by name, with the options that each has. */
export const classifiers = {
  "classifier-small": section({
    name: z.literal("classifier-small").default("classifier-small"),
    classes,
    /** Channels of the maps at full, half and quarter size. */
    widths: z.tuple([count, count, count], threeWidths).optional(),
    /** Numbers by which the last layer decides. */
    features: count.optional(),
  }),
  "wide-resnet": section({
    name: z.literal("wide-resnet"),
    classes,
    blocksPerGroup: count.optional(),
    channelMultiplier: count.optional(),
    fourierScale: positive.optional(),
  }),
} satisfies Record<ClassifierName, z.ZodObject>;

export type ClassifierModel = { [N in ClassifierName]: z.infer<(typeof classifiers)[N]> }[ClassifierName];

/** What in the sections of a classifier does not go together, as the end of a message; undefined if nothing. */
export function classifierDisagreement({
  data,
  sde,
  training,
}: {
  readonly data: { readonly centered?: boolean | undefined; readonly name: string };
  readonly sde?: z.infer<(typeof sdes)[keyof typeof sdes]> | undefined;
  readonly training: Parts["training"];
}): string | undefined {
  if (data.centered)
    return "data.centered: got true for a classifier, which takes images in [0, 1], expected false";
  if (data.name === "folder")
    return 'data.name: got "folder" for a classifier, expected a set whose images have classes: digits, mnist, cifar10';
  if (sde && !sde.continuous)
    return "sde.continuous: got false for a classifier, which is told sigma at any time, expected true";
  return trainingDisagreement(training);
}
