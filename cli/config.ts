import { existsSync, readFileSync } from "node:fs";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { UsageError } from "../engine/errors.ts";
import { disagreement, type Parts } from "./config/agreement.ts";
import { withChanges } from "./config/changes.ts";
import { type ClassifierModel, classifierDisagreement, classifiers } from "./config/classifier.ts";
import { complaint } from "./config/complaint.ts";
import { data } from "./config/data.ts";
import { type LabelledModel, type Model, models } from "./config/model.ts";
import { type Sde, sdes, sigmas } from "./config/noise.ts";
import { annealedSampling, sdeSampling } from "./config/sampling.ts";
import { annealedTraining, classifierTraining, sdeTraining } from "./config/training.ts";
import { expectedKeys, isRecord, sectionNamed } from "./config/values.ts";
import { packaged } from "./packaged.ts";

/** A run on a ladder of noise scales, as written in YAML. */
export interface AnnealedConfig {
  data: z.infer<typeof data>;
  model: LabelledModel;
  sigmas: z.infer<typeof sigmas>;
  sde?: never;
  training: z.infer<typeof annealedTraining>;
  sampling: z.infer<typeof annealedSampling>;
}

/** A run on an SDE, as written in YAML. */
export interface SdeConfig {
  data: z.infer<typeof data>;
  model: Model;
  sigmas?: never;
  sde: Sde;
  training: z.infer<typeof sdeTraining>;
  sampling: z.infer<typeof sdeSampling>;
}

export type Config = AnnealedConfig | SdeConfig;

/** A classifier of images on a ladder of noise scales or an SDE, as written in YAML. */
export type ClassifierConfig = {
  data: z.infer<typeof data>;
  classifier: ClassifierModel;
  training: z.infer<typeof classifierTraining>;
} & ({ sigmas: z.infer<typeof sigmas>; sde?: never } | { sigmas?: never; sde: Sde });

export type AnyConfig = Config | ClassifierConfig;

export const isClassifier = (config: AnyConfig): config is ClassifierConfig => "classifier" in config;

/** Every section that the configuration of a score network may have. */
const sectionNames = ["data", "model", "sigmas", "sde", "training", "sampling"];
const classifierSectionNames = ["data", "classifier", "sigmas", "sde", "training"];

/** The sections that what is given asks for: of the network by its name, and of a ladder or an SDE. */
function sectionsFor(given: Record<string, unknown>): Record<string, z.ZodObject> {
  if (given.classifier !== undefined) {
    const classifier = sectionNamed(classifiers, given.classifier, "classifier-small");
    const training = classifierTraining;
    return given.sde === undefined
      ? { data, classifier, sigmas, training }
      : { data, classifier, sde: sectionNamed(sdes, given.sde), training };
  }
  const model = sectionNamed(models, given.model, "ncsn");
  return given.sde === undefined
    ? { data, model, sigmas, training: annealedTraining, sampling: annealedSampling }
    : { data, model, sde: sectionNamed(sdes, given.sde), training: sdeTraining, sampling: sdeSampling };
}

/**
 * Reads and checks a YAML file, with the changes of --set. Throws UsageError naming the file, the key, what came and the
 * nearest known key.
 */
export const readConfig = (path: string, changes?: readonly string[]): Config =>
  parseConfig(readText(path), path, changes);

/** The same for a score network or a classifier. */
export const readAnyConfig = (path: string, changes?: readonly string[]): AnyConfig =>
  parseAnyConfig(readText(path), path, changes);

/** configs/NAME.yaml is the package's own where there is no such file: its configurations are at hand in any folder. */
function readText(path: string): string {
  const own = /^(?:\.\/)?(configs\/.+)$/.exec(path.replaceAll("\\", "/"))?.[1];
  const there = own === undefined || existsSync(path) ? path : packaged(own);
  try {
    return readFileSync(there, "utf8");
  } catch (cause) {
    throw new UsageError(
      `config: cannot read ${path} (${(cause as NodeJS.ErrnoException).code}); check the path`,
    );
  }
}

/** Checks the text of a score network's configuration; `name` stands in messages. */
export function parseConfig(text: string, name: string, changes?: readonly string[]): Config {
  const config = parseAnyConfig(text, name, changes);
  if (isClassifier(config))
    throw new UsageError(
      `config: ${name} is that of a classifier, expected that of a score network; ` +
        "classifiers are for stein train and stein classify-guide",
    );
  return config;
}

/** Checks the text of a classifier's configuration; `name` stands in messages. */
export function parseClassifierConfig(text: string, name: string): ClassifierConfig {
  const config = parseAnyConfig(text, name);
  if (!isClassifier(config))
    throw new UsageError(
      `config: ${name} is that of a score network, expected that of a classifier, ` +
        "such as configs/classifier/digits.yaml",
    );
  return config;
}

/** Checks the text of a configuration, whatever it trains. */
export function parseAnyConfig(text: string, name: string, changes: readonly string[] = []): AnyConfig {
  let value: unknown;
  try {
    value = parse(text, { logLevel: "error" });
  } catch (cause) {
    throw new UsageError(`config: ${name} is not YAML: ${firstLine(cause)}`);
  }
  const result = check(withoutEmpty(withChanges(value, changes)));
  const whole = [name, ...changes.map((change) => `--set ${change}`)].join(" ");
  if (typeof result === "string") throw new UsageError(`config: ${whole}: ${result}`);
  return result;
}

export const writeConfig = (config: AnyConfig): string => stringify(config);

/** The configuration with its defaults, or the end of a message. */
function check(given: unknown): AnyConfig | string {
  const sections = sectionsFor(isRecord(given) ? given : {});
  const names = "classifier" in sections ? classifierSectionNames : sectionNames;
  const root = z.strictObject(
    Object.fromEntries(Object.entries(sections).map(([key, part]) => [key, part.prefault({})])),
    { error: expectedKeys(names) },
  );
  if (isRecord(given) && given.sigmas !== undefined && given.sde !== undefined)
    return "sigmas: got a ladder of noise scales beside an sde section, expected one of the two; take one out";
  const result = root.safeParse(given);
  if (!result.success) {
    const { issues } = result.error;
    const worst = issues.find(({ code }) => code === "unrecognized_keys") ?? issues[0]!; // what it is missing may be misspelt
    return complaint(worst, given, ([first]) =>
      first === undefined ? names : Object.keys(sections[first as string]!.shape),
    );
  }
  const config = result.data as unknown as AnyConfig;
  dequantize(config);
  const fault = isClassifier(config) ? classifierDisagreement(config) : disagreement(config as Parts);
  return fault ?? config;
}

/** A likelihood is one of continuous images: unless told otherwise, images trained for it are spread over their steps. */
function dequantize({ data, training }: AnyConfig): void {
  if ("likelihoodWeighting" in training && training.likelihoodWeighting) data.uniformDequantization ??= true;
}

/**
 * Without sections of which nothing is left but their name, as when every line in them is a comment; one by which the
 * configuration is known to be a classifier's stays.
 */
function withoutEmpty(value: unknown): unknown {
  if (!isRecord(value)) return value;
  const { classifier, ...rest } = value;
  const full = Object.entries(rest).filter(([, section]) => section !== null);
  return { ...Object.fromEntries(full), ...(classifier !== undefined && { classifier: classifier ?? {} }) };
}

const firstLine = (cause: unknown): string =>
  String(cause instanceof Error ? cause.message : cause)
    .split("\n")[0]!
    .replace(/:$/, "");
