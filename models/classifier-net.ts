import type { Engine } from "../engine/engine.ts";
import { expectedOneOf, UsageError } from "../engine/errors.ts";
import type { Classifier } from "./classifier.ts";
import { ClassifierSmall, type ClassifierSmallOptions } from "./classifier-small.ts";
import { Init } from "./init.ts";
import { WideResNet, type WideResNetOptions } from "./wide-resnet.ts";

/** What every classifier has to know of its images. */
export interface ClassifierImageOptions {
  imageChannels: number;
  imageSize: number;
  classes: number;
}

/** The classifiers by name, each with the options of its own. */
export interface ClassifierChoices {
  "classifier-small": Partial<Pick<ClassifierSmallOptions, "widths" | "features">>;
  "wide-resnet": Omit<WideResNetOptions, "channels" | "numOutputs">;
}

export type ClassifierName = keyof ClassifierChoices;

export type ClassifierOptions = ClassifierImageOptions & { seed: number } & {
    [N in ClassifierName]: { name: N } & ClassifierChoices[N];
  }[ClassifierName];

type Builders = {
  [N in ClassifierName]: (init: Init, options: ClassifierImageOptions & ClassifierChoices[N]) => Classifier;
};

const builders: Builders = {
  "classifier-small": (init, { imageChannels, ...options }) =>
    new ClassifierSmall(init, { ...options, channels: imageChannels }),
  "wide-resnet": (init, { imageChannels, imageSize: _, classes, ...options }) =>
    new WideResNet(init, { ...options, channels: imageChannels, numOutputs: classes }),
};

export const classifierNames = Object.keys(builders) as ClassifierName[];

/** The classifier of a configuration, freshly initialised. Throws UsageError for an unknown name or options it cannot take. */
export function buildClassifier(engine: Engine, { name, seed, ...options }: ClassifierOptions): Classifier {
  if (!Object.hasOwn(builders, name))
    throw new UsageError(`classifier: got ${name}, ${expectedOneOf(name, classifierNames)}`);
  const build = builders[name] as (init: Init, options: ClassifierImageOptions) => Classifier;
  return build(new Init(engine, seed), options);
}
