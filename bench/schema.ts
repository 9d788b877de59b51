import { z } from "zod";
import { VERSION } from "./version.ts";

// What a run's file holds: JSON lines, each of one of these kinds. docs/bench.schema.json is written from it.

const milliseconds = z.number().nonnegative().meta({ description: "milliseconds" });
const share = z.number().nonnegative().meta({ description: "a share, 1 for the whole" });

const spread = z
  .object({ median: milliseconds, lower: milliseconds, upper: milliseconds, best: milliseconds })
  .meta({ description: "over the rounds: the median, the bounds of the middle half, the least" });

const driver = z.object({
  source: z.enum(["system", "embedded", "browser"]),
  software: z.boolean().meta({ description: "the processor plays GPU" }),
  vendor: z.string(),
  architecture: z.string(),
  device: z.string(),
  description: z.string(),
  notice: z.string().optional(),
});

const load = z
  .object({ before: z.number(), after: z.number(), others: share, cores: z.number() })
  .meta({ description: "load averages, and the share of all cores that other processes took" });

const run = z
  .object({
    kind: z.literal("run"),
    version: z.literal(VERSION),
    stein: z.string().optional().meta({ description: "Stein's version" }),
    date: z.string().meta({ description: "when it ended, ISO 8601" }),
    adapter: z.string(),
    driver,
    features: z.array(z.string()),
    runtime: z.string().meta({ description: "Node or browser, with its version" }),
    platform: z.string(),
    cores: z.number(),
    timestampStep: milliseconds.optional().meta({
      description: "milliseconds that the device's timestamps are rounded to; absent where there are none",
    }),
    load: load.optional().meta({ description: "absent where it cannot be seen" }),
  })
  .meta({ description: "the run as a whole: the first line" });

const by = z.enum(["median", "gpu", "alone"]);
const limit = z
  .enum(["compute", "memory", "dispatch"])
  .meta({ description: "what its least time is of: operations, bytes or launches" });
const ofRoofline = share.meta({
  description:
    "the least time over the time taken: of operations, bytes and launches, whichever takes longest",
});

const roofs = z
  .object({
    kind: z.literal("roofs"),
    by: by.meta({ description: "the time that all three are of; median: by the wall clock" }),
    gigaflops: z.number().positive(),
    gigabytesPerSecond: z.number().positive(),
    dispatchMicroseconds: z.number().positive().optional().meta({ description: "an empty one" }),
  })
  .meta({ description: "what the adapter can do at best, measured in the same rounds" });

const caseLine = z
  .object({
    kind: z.literal("case"),
    name: z.string(),
    group: z.string().meta({ description: "the kernel's family" }),
    shape: z.string(),
    bound: z.enum(["compute", "memory", "dispatch"]).meta({ description: "what `rate` counts" }),
    rounds: z.number().int().positive(),
    bytes: z.number().nonnegative(),
    flops: z.number().nonnegative(),
    dispatches: z.number().positive().optional(),
    wall: spread.meta({ description: "by the host's clock, the wait for the device included" }),
    gpu: spread.optional().meta({ description: "by the device's timestamps" }),
    alone: spread.optional().meta({ description: "a software driver's processor time over the cores" }),
    by: by.meta({ description: "the time that rates and shares are of; median: by the wall clock" }),
    rate: z.number().positive().optional(),
    unit: z.string(),
    gigaflops: z.number().positive().optional(),
    gigabytesPerSecond: z.number().positive().optional(),
    intensity: z.number().positive().optional().meta({ description: "operations a byte" }),
    limit: limit.optional(),
    ofRoofline: ofRoofline.optional(),
  })
  .meta({ description: "a case that was right and timed" });

const fault = z
  .object({ kind: z.literal("fault"), name: z.string(), what: z.string() })
  .meta({ description: "a case whose results were wrong; it was not timed" });

const target = z
  .object({
    kind: z.literal("target"),
    text: z.string(),
    met: z.boolean().optional().meta({ description: "absent where none of its cases was measured" }),
    figures: z.array(z.string()),
  })
  .meta({
    description: "what the project promises on lavapipe with two processor cores, held against the run",
  });

const leftOut = z
  .object({ kind: z.literal("left-out"), name: z.string(), reason: z.string() })
  .meta({ description: "a case that would have belonged to the run and was not tried" });

const coldStep = z.object({
  open: milliseconds,
  compile: milliseconds,
  kernels: z.number().int(),
  first: milliseconds,
  second: milliseconds,
  total: milliseconds,
});
const cold = z
  .object({ kind: z.literal("cold"), cold: coldStep, warm: coldStep })
  .meta({ description: "the first training step of a new process, shader cache empty and filled" });

const profile = z
  .object({
    kind: z.literal("profile"),
    name: z.string(),
    clock: z.enum(["timestamps", "wall clock", "processor time"]),
    ms: milliseconds,
    dispatches: z.number().int(),
    rows: z.array(
      z.object({
        kernel: z.string(),
        variant: z.string(),
        calls: z.number().int(),
        ms: milliseconds,
        share,
        gigabytesPerSecond: z.number().nonnegative(),
        gigaflops: z.number().nonnegative(),
        limit: limit.optional(),
        ofRoofline: ofRoofline.optional(),
        ofWork: share.optional().meta({ description: "the same of operations and bytes alone" }),
      }),
    ),
  })
  .meta({ description: "where the time of a captured step goes, by kernel" });

const times = z.object({ wall: spread, gpu: spread.optional(), alone: spread.optional() });
const fusion = z
  .object({
    kind: z.literal("fusion"),
    network: z.string(),
    batch: z.number().int().positive(),
    update: z.enum(["langevin", "corrector"]),
    fusion: z.enum(["separate", "fused", "network"]),
    replayed: z.boolean(),
    kernels: z.number().int(),
    bytes: z.number(),
    step: times,
    alone: z.object({ kernels: z.number().int(), bytes: z.number(), time: times }).meta({
      description: "the network alone, replayed",
    }),
    share: z.number().meta({ description: "what the step takes beyond the network, of the network's time" }),
  })
  .meta({ description: "a sampler's step by one of its paths" });

/** One line of a run's file. */
export const line = z.discriminatedUnion("kind", [
  run,
  roofs,
  caseLine,
  fault,
  target,
  leftOut,
  cold,
  profile,
  fusion,
]);

export type Line = z.infer<typeof line>;
export type RunRecord = z.infer<typeof run>;
export type RoofsRecord = z.infer<typeof roofs>;
export type CaseRecord = z.infer<typeof caseLine>;
export type TargetRecord = z.infer<typeof target>;
export type ProfileRecord = z.infer<typeof profile>;
export type FusionRecord = z.infer<typeof fusion>;
export type ColdRecord = z.infer<typeof cold>;

/** The lines of one kind. */
export const ofKind = <K extends Line["kind"]>(lines: readonly Line[], kind: K) =>
  lines.filter((l): l is Extract<Line, { kind: K }> => l.kind === kind);

/** The JSON Schema of a line, draft 2020-12. */
export const jsonSchema = (): object => ({
  title: "A line of stein bench --json",
  ...z.toJSONSchema(line, { io: "input" }), // which allows fields of later versions
});
