import { readFileSync } from "node:fs";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { imageSetNames } from "../data/index.ts";
import { nearest, UsageError } from "../engine/errors.ts";
import { scoreNetNames } from "../models/index.ts";

const whole = z.number().int();
const count = whole.min(1);
const positive = z.number().positive();

const data = z.strictObject({
  name: z.enum(imageSetNames as [string, ...string[]]).default("digits"),
  path: z.string().optional(),
  count: count.optional(),
  seed: whole.min(0).optional(),
  size: count.optional(),
  channels: z.union([z.literal(1), z.literal(3)]).optional(),
  /** Images kept from training to measure against. */
  heldBack: whole.min(0).default(1000),
});

const model = z.strictObject({
  name: z.enum(scoreNetNames as [string, ...string[]]).default("ncsn"),
  /** Channels of the finest level of NCSN. */
  ngf: count.optional(),
  /** Channels of each level of the small network, finest first. */
  channels: z.array(count).length(3).optional(),
});

const sigmas = z.strictObject({
  begin: positive.default(1),
  end: positive.default(0.01),
  count: count.default(10),
});

const training = z.strictObject({
  steps: count,
  batchSize: count.default(128),
  lr: positive.default(1e-3),
  beta1: z.number().min(0).lt(1).default(0.9),
  weightDecay: z.number().min(0).default(0),
  warmup: whole.min(0).default(0),
  emaDecay: z.number().min(0).lt(1).default(0.999),
  gradClip: positive.optional(),
  annealPower: z.number().default(2),
  seed: whole.min(0).default(0),
  checkpointEvery: count.default(500),
});

const sampling = z.strictObject({
  count: count.default(64),
  stepsPerLevel: count.default(100),
  epsilon: positive.default(2e-5),
  denoise: z.boolean().default(true),
  seed: whole.min(0).default(0),
});

const schema = z.strictObject({
  data: data.prefault({}),
  model: model.prefault({}),
  sigmas: sigmas.prefault({}),
  training,
  sampling: sampling.prefault({}),
});

/** A run, as written in YAML. */
export type Config = z.infer<typeof schema>;

/** Reads and checks a YAML file. Throws UsageError naming the file, the key, what came and the nearest known key. */
export function readConfig(path: string): Config {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new UsageError(`config: cannot read ${path} (${(cause as NodeJS.ErrnoException).code}); check the path`);
  }
  return parseConfig(text, path);
}

/** Checks the text of a configuration; `name` stands in messages. */
export function parseConfig(text: string, name: string): Config {
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    throw new UsageError(`config: ${name} is not YAML: ${firstLine(cause)}`);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new UsageError(`config: ${name}: ${describe(result.error.issues[0]!, value)}`);
}

export const writeConfig = (config: Config): string => stringify(config);

function describe(issue: z.core.$ZodIssue, root: unknown): string {
  const place = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    const key = issue.keys[0]!;
    const known = keysAt(issue.path);
    const meant = nearest(key, known);
    return `unknown key "${[...issue.path, key].join(".")}", ${meant ? `did you mean "${meant}"?` : `expected one of ${known.join(", ")}`}`;
  }
  const given = issue.path.reduce<unknown>((v, k) => (v as Record<PropertyKey, unknown> | undefined)?.[k], root);
  const shown = given === undefined ? "nothing" : JSON.stringify(given);
  if (issue.code === "invalid_value") {
    const values = issue.values.map(String);
    const meant = nearest(String(given), values);
    return `${place}: got ${shown}, expected ${values.join(", ")}${meant ? `; did you mean "${meant}"?` : ""}`;
  }
  return `${place || "the file"}: got ${shown}, ${issue.message.replace(/^Invalid input: /, "")}`;
}

function keysAt(path: readonly PropertyKey[]): string[] {
  const sections = { data, model, sigmas, training, sampling };
  const [first] = path;
  const section = first === undefined ? schema : sections[first as keyof typeof sections];
  return Object.keys(section.shape);
}

const firstLine = (cause: unknown): string => String(cause instanceof Error ? cause.message : cause).split("\n")[0]!;
