import { readFileSync } from "node:fs";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { UsageError } from "../engine/errors.ts";
import { disagreement, type Parts } from "./config/agreement.ts";
import { complaint } from "./config/complaint.ts";
import { data } from "./config/data.ts";
import { type LabelledModel, type Model, models } from "./config/model.ts";
import { type Sde, sdes, sigmas } from "./config/noise.ts";
import { annealedSampling, sdeSampling } from "./config/sampling.ts";
import { annealedTraining, sdeTraining } from "./config/training.ts";
import { expectedKeys, sectionNamed } from "./config/values.ts";

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

/** Every section that some configuration has. */
const sectionNames = ["data", "model", "sigmas", "sde", "training", "sampling"];

/** The sections that what is given asks for: of the network by its name, and of a ladder or an SDE. */
function sectionsFor(given: Record<string, unknown>): Record<string, z.ZodObject> {
  const model = sectionNamed(models, given.model, "ncsn");
  return given.sde === undefined
    ? { data, model, sigmas, training: annealedTraining, sampling: annealedSampling }
    : { data, model, sde: sectionNamed(sdes, given.sde), training: sdeTraining, sampling: sdeSampling };
}

/** Reads and checks a YAML file. Throws UsageError naming the file, the key, what came and the nearest known key. */
export function readConfig(path: string): Config {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new UsageError(
      `config: cannot read ${path} (${(cause as NodeJS.ErrnoException).code}); check the path`,
    );
  }
  return parseConfig(text, path);
}

/** Checks the text of a configuration; `name` stands in messages. */
export function parseConfig(text: string, name: string): Config {
  let value: unknown;
  try {
    value = parse(text, { logLevel: "error" });
  } catch (cause) {
    throw new UsageError(`config: ${name} is not YAML: ${firstLine(cause)}`);
  }
  const result = check(withoutEmpty(value));
  if (typeof result === "string") throw new UsageError(`config: ${name}: ${result}`);
  return result;
}

export const writeConfig = (config: Config): string => stringify(config);

/** The configuration with its defaults, or the end of a message. */
function check(given: unknown): Config | string {
  const sections = sectionsFor(isRecord(given) ? given : {});
  const root = z.strictObject(
    Object.fromEntries(Object.entries(sections).map(([key, part]) => [key, part.prefault({})])),
    { error: expectedKeys(sectionNames) },
  );
  if (isRecord(given) && given.sigmas !== undefined && given.sde !== undefined)
    return "sigmas: got a ladder of noise scales beside an sde section, expected one of the two; take one out";
  const result = root.safeParse(given);
  if (!result.success) {
    const { issues } = result.error;
    const worst = issues.find(({ code }) => code === "unrecognized_keys") ?? issues[0]!; // what it is missing may be misspelt
    return complaint(worst, given, ([first]) =>
      first === undefined ? sectionNames : Object.keys(sections[first as string]!.shape),
    );
  }
  const config = result.data as unknown as Config;
  dequantize(config);
  return disagreement(config as Parts) ?? config;
}

/** A likelihood is one of continuous images: unless told otherwise, images trained for it are spread over their steps. */
function dequantize({ data, training }: Config): void {
  if ("likelihoodWeighting" in training && training.likelihoodWeighting) data.uniformDequantization ??= true;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Sections of which nothing is left but their name, as when every line in them is a comment. */
function withoutEmpty(value: unknown): unknown {
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, section]) => section !== null));
}

const firstLine = (cause: unknown): string =>
  String(cause instanceof Error ? cause.message : cause)
    .split("\n")[0]!
    .replace(/:$/, "");
