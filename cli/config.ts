import { readFileSync } from "node:fs";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { imageSetNames } from "../data/index.ts";
import { nearest, UsageError } from "../engine/errors.ts";
import { scoreNetNames } from "../models/index.ts";

/** A number with the one line that says what it should have been. */
const number = (what: string, check: (n: number) => boolean) =>
  z.number({ error: `expected ${what}` }).refine(check, { error: `expected ${what}` });
const wholeFrom = (least: number) =>
  number(`a whole number from ${least}`, (n) => Number.isSafeInteger(n) && n >= least);
const count = wholeFrom(1);
const positive = number("a number above 0", (n) => n > 0);
const share = number("a number from 0, below 1", (n) => n >= 0 && n < 1);
const oneOf = (names: readonly string[]) => z.enum(names as [string, ...string[]]);

const section = <S extends z.ZodRawShape>(shape: S) =>
  z.strictObject(shape, { error: `expected a section with keys out of ${Object.keys(shape).join(", ")}` });
const threeLevels = { error: "expected a list of 3 whole numbers, such as [8, 24, 48]" };

const data = section({
  name: oneOf(imageSetNames).default("digits"),
  path: z.string({ error: "expected the path of a folder" }).optional(),
  count: count.optional(),
  seed: wholeFrom(0).optional(),
  size: count.optional(),
  channels: number("1 (grey) or 3 (RGB)", (n) => n === 1 || n === 3).optional(),
  /** Images kept from training to measure against. */
  heldBack: count.default(1000),
});

const model = section({
  name: oneOf(scoreNetNames).default("ncsn"),
  /** Channels of the finest level of NCSN. */
  ngf: count.optional(),
  /** Channels of each level of the small network, finest first. */
  channels: z.array(count, threeLevels).length(3, threeLevels).optional(),
});

const sigmas = section({
  begin: positive.default(1),
  end: positive.default(0.01),
  count: count.default(10),
}).refine(({ begin, end }) => begin >= end, {
  error: "expected begin >= end, for the noise descends; swap them",
});

const training = section({
  steps: count,
  batchSize: count.default(128),
  lr: positive.default(1e-3),
  beta1: share.default(0.9),
  weightDecay: number("a number from 0", (n) => n >= 0).default(0),
  warmup: wholeFrom(0).default(0),
  emaDecay: share.default(0.999),
  gradClip: positive.optional(),
  annealPower: number("a number", Number.isFinite).default(2),
  seed: wholeFrom(0).default(0),
  checkpointEvery: count.default(500),
});

const sampling = section({
  count: count.default(64),
  stepsPerLevel: count.default(100),
  epsilon: positive.default(2e-5),
  denoise: z.boolean({ error: "expected true or false" }).default(true),
  prior: z.enum(["uniform", "normal"]).default("uniform"),
  seed: wholeFrom(0).default(0),
});

const sections = { data, model, sigmas, training, sampling };
const schema = section({
  data: data.prefault({}),
  model: model.prefault({}),
  sigmas: sigmas.prefault({}),
  training: training.prefault({} as { steps: number }),
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
  const result = schema.safeParse(withoutEmpty(value));
  if (result.success) return result.data;
  const { issues } = result.error;
  const worst = issues.find(({ code }) => code === "unrecognized_keys") ?? issues[0]!; // what it is missing may be misspelt
  throw new UsageError(`config: ${name}: ${describe(worst, value)}`);
}

export const writeConfig = (config: Config): string => stringify(config);

/** Sections of which nothing is left but their name, as when every line in them is a comment. */
function withoutEmpty(value: unknown): unknown {
  if (!value || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, section]) => section !== null));
}

function describe(issue: z.core.$ZodIssue, root: unknown): string {
  const place = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    const key = issue.keys[0]!;
    const known = keysAt(issue.path);
    const meant = nearest(key, known);
    return `unknown key "${[...issue.path, key].join(".")}", ${meant ? `did you mean "${meant}"?` : `expected one of ${known.join(", ")}`}`;
  }
  const given = issue.path.reduce<unknown>(
    (v, k) => (v as Record<PropertyKey, unknown> | undefined)?.[k],
    root,
  );
  const got = `${place || "the file"}: got ${shown(given)}`;
  if (issue.code === "invalid_value") {
    const values = issue.values.map(String);
    const meant = nearest(String(given), values);
    return `${got}, expected ${values.join(", ")}${meant ? `; did you mean "${meant}"?` : ""}`;
  }
  return `${got}, ${issue.message}`;
}

/** A value as the user wrote it, the end of a long one left out. */
function shown(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  const text = typeof value === "number" ? String(value) : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function keysAt(path: readonly PropertyKey[]): string[] {
  const [first] = path;
  return Object.keys((first === undefined ? schema : sections[first as keyof typeof sections]).shape);
}

const firstLine = (cause: unknown): string =>
  String(cause instanceof Error ? cause.message : cause)
    .split("\n")[0]!
    .replace(/:$/, "");
