import type { Variant } from "../kernels/kernel.ts";
import { type Choices, type Met, wayName } from "./choices.ts";
import type { Engine } from "./engine.ts";
import { UsageError } from "./errors.ts";
import type { TextCache } from "./platform/cache.ts";
import { median } from "./profiler.ts";
import { randn } from "./random.ts";
import { showShape } from "./shapes.ts";
import { elapsed, Stopwatch } from "./stopwatch.ts";
import type { Tensor } from "./tensor.ts";
import { fileName, readTuning, type TunedFor, writeTuning } from "./tuning-file.ts";

/*
 * Times the ways that a step's ops could be computed: the step is walked through without the device, each class of
 * problems that it meets is computed on random numbers in all its ways, in turn, and the fastest is kept.
 */

/** How Engine.tune measures. */
export interface TuneOptions {
  /** Milliseconds of a kernel's own work since some moment, where the wall clock tells less. */
  clock?: () => number;
  /** Milliseconds to spend on a class, once each way had its three samples. */
  budget?: number;
  /** Measure what is known too, and keep nothing: to hold the heuristic against what was measured. */
  compare?: boolean;
  onProgress?: (done: number, total: number, note: string) => void;
  /** Asked before each class: whether to leave the others unmeasured. */
  enough?: () => boolean;
}

/** What Engine.prepare tells, and how it measures where autotune is on. */
export interface PrepareOptions {
  /** Kernels that are compiled. */
  onProgress?: (done: number, total: number) => void;
  tuning?: TuneOptions;
}

/** A way as it was measured: milliseconds, or why it is out of the question. */
export interface Trial {
  readonly way: string;
  readonly ms: number;
  readonly fault?: string;
}

/** A class of problems and the way chosen for it. */
export interface Tuned {
  readonly key: string;
  /** Shapes of the inputs that were measured. */
  readonly shapes: string;
  readonly heuristic: Trial;
  readonly chosen: Trial;
  readonly trials: readonly Trial[];
}

/** What Engine.tune found. */
export interface Tuning {
  /** Classes that the step meets. */
  readonly met: number;
  /** Those that were measured now. */
  readonly tuned: readonly Tuned[];
  /** Where the choices are kept; undefined where nothing was to be kept. */
  readonly place: string | undefined;
}

/** Samples of each way before one is given up, and in all. */
const SAMPLES = { least: 3, most: 10 };
/** A way so many times slower than the best is given up. */
const HOPELESS = 1.25;
/** The heuristic's way stays unless another takes less than this share of its time: what noise would decide is left. */
const CLEARLY = 0.95;
/** Milliseconds that a sample should take: shorter runs are repeated. */
const SAMPLE_MS = 2;
const REPEATS = 50;
/** Difference from the heuristic's way, as a share of the largest value, that rounding explains: f32, and stored as f16. */
const ROUNDING = { single: 1e-4, half: 1e-2 };

interface TuneContext {
  readonly choices: Choices;
  readonly cache: TextCache;
  readonly tunedFor: TunedFor;
  /** Compiles what a function launches: `prepare` without tuning. */
  readonly compile: (fn: () => unknown) => Promise<void>;
}

/**
 * Measures what `walk` meets, and keeps each choice as soon as it is made: what an interruption leaves is not lost. Throws
 * UsageError with autotune off, and where the cache cannot be written.
 */
export async function tune(
  engine: Engine,
  walk: () => unknown,
  { choices, cache, tunedFor, compile }: TuneContext,
  options: TuneOptions = {},
): Promise<Tuning> {
  const { compare = false, onProgress, enough = () => false } = options;
  if (choices.mode === "off")
    throw new UsageError('tune: got an engine with autotune off, expected "cached" or "on"; create it so');
  const met = choices.metIn(() => engine.dry(walk));
  const open = met.filter(({ key }) => compare || !choices.known.has(key));
  const tuned: Tuned[] = [];
  const stamped = engine.hardware.kind === "gpu" && engine.device.features.has("timestamp-query");
  const stopwatch = stamped && !options.clock ? new Stopwatch(engine.device) : undefined;
  const name = fileName(tunedFor);
  const keep = ({ key, chosen }: Tuned) =>
    cache.update(name, (text) => {
      for (const [known, way] of readTuning(text, tunedFor)) choices.keep(known, way); // another process may have been faster
      choices.keep(key, chosen.way);
      return writeTuning(choices.known, tunedFor);
    });
  try {
    for (const [done, m] of open.entries()) {
      if (enough()) break;
      onProgress?.(done, open.length, m.key);
      if (!compare && choices.known.has(m.key)) continue; // by another process, meanwhile
      const result = await measure(engine, m, compile, options, stopwatch);
      tuned.push(result);
      if (!compare) await keep(result);
    }
  } finally {
    stopwatch?.destroy();
  }
  if (compare || tuned.length === 0) return { met: met.length, tuned, place: undefined };
  if (!enough()) onProgress?.(open.length, open.length, "");
  return { met: met.length, tuned, place: cache.place(name) };
}

async function measure(
  engine: Engine,
  met: Met,
  compile: TuneContext["compile"],
  { clock, budget = 200 }: TuneOptions,
  stopwatch: Stopwatch | undefined,
): Promise<Tuned> {
  const { key, tunable, problem, autocast } = met;
  const first = tunable.heuristic(engine.hardware, problem);
  const ways = new Map([first, ...tunable.ways(engine.hardware, problem)].map((w) => [wayName(w), w]));
  const inputs = drawn(engine, met);
  const half = autocast || met.inputs.some((t) => t?.dtype === "f16");
  const run = (way: Variant): Tensor =>
    engine.noGrad(() =>
      engine.autocast(() => engine.forward(() => tunable.run(engine, inputs, problem, way)), autocast),
    );
  try {
    const faults = new Map<string, string>();
    const contest: Entry[] = [];
    let expected: Float32Array | undefined;
    for (const [name, way] of ways) {
      const result = await tried(
        engine,
        () => compile(() => run(way)),
        () => run(way),
      );
      const fault = typeof result === "string" ? result : expected && difference(result, expected, half);
      if (name === wayName(first)) {
        if (typeof result === "string") throw new UsageError(`tune: ${key}: the usual way fails: ${result}`);
        expected = result;
      }
      if (fault === undefined) contest.push({ name, way, samples: [] });
      else faults.set(name, fault);
    }
    const repeats = await repeatsOf(engine, () => run(first));
    const again = (way: Variant) => () => {
      for (let i = 0; i < repeats; i++) engine.scope(() => void run(way));
    };
    await race(
      engine,
      contest,
      budget,
      async ({ way }) =>
        (await elapsed(engine, again(way), { stopwatch, ...(clock && { clock }) })) / repeats,
    );
    const trials = [
      ...contest.map(({ name, samples }): Trial => ({ way: name, ms: median(samples) })),
      ...[...faults].map(([way, fault]): Trial => ({ way, ms: Infinity, fault })),
    ];
    const heuristic = trials[0]!;
    const best = trials.reduce((a, b) => (b.ms < a.ms ? b : a));
    const chosen = best.ms < CLEARLY * heuristic.ms ? best : heuristic;
    const shapes = met.inputs.flatMap((t) => (t ? [showShape(t.shape)] : [])).join(" ");
    return { key, shapes, heuristic, chosen, trials };
  } finally {
    for (const t of inputs) t?.dispose();
  }
}

interface Entry {
  readonly name: string;
  readonly way: Variant;
  readonly samples: number[];
}

/** Takes samples of all in turn, so that a change of the machine's mood falls on all; the first of each is not kept. */
async function race(
  engine: Engine,
  contest: readonly Entry[],
  budget: number,
  sample: (entry: Entry) => Promise<number>,
): Promise<void> {
  for (const entry of contest) await sample(entry);
  const start = performance.now();
  let running = contest;
  for (let round = 1; round <= SAMPLES.most; round++) {
    for (const entry of running) entry.samples.push(await sample(entry));
    if (round < SAMPLES.least) continue;
    const best = Math.min(...running.map(({ samples }) => median(samples)));
    running = running.filter((e) => e === contest[0] || median(e.samples) <= HOPELESS * best);
    if (running.length === 1 || performance.now() - start > budget) break;
  }
  await engine.sync();
}

/** Random numbers of the shapes met, in their dtypes. */
function drawn(engine: Engine, { inputs, tunable, problem }: Met): (Tensor | undefined)[] {
  const tensors = inputs.map((t, i) => {
    if (!t) return undefined;
    const x = engine.untrack(randn(engine, t.shape, { seed: 1, purpose: "user", site: i }));
    if (t.dtype !== "f16") return x;
    const half = engine.untrack(engine.empty(t.shape, "f16"));
    engine.copy(x, half);
    x.dispose();
    return half;
  });
  tunable.agree?.(engine, tensors, problem);
  return tensors;
}

/** What a way computes, or why it cannot. */
async function tried(
  engine: Engine,
  compile: () => Promise<void>,
  run: () => Tensor,
): Promise<Float32Array | string> {
  try {
    await compile();
    const y = run();
    try {
      return (await engine.read(y)) as Float32Array;
    } finally {
      y.dispose();
    }
  } catch (cause) {
    await engine.sync().catch(() => {}); // what it left to be reported belongs to it
    await engine.sync(); // but that the device is lost
    return cause instanceof Error ? cause.message : String(cause);
  }
}

/** How far two results are apart, if further than rounding. */
function difference(got: Float32Array, expected: Float32Array, half: boolean): string | undefined {
  if (got.length !== expected.length) return `${got.length} values for ${expected.length}`;
  let [worst, largest] = [0, 0];
  for (let i = 0; i < got.length; i++) {
    const error = Math.abs(got[i]! - expected[i]!);
    if (!(error <= worst)) worst = Number.isNaN(error) ? Infinity : error;
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  const allowed = (half ? ROUNDING.half : ROUNDING.single) * largest;
  return worst <= allowed ? undefined : `off by ${(worst / largest).toExponential(1)} of the largest value`;
}

/** How often a run has to be repeated for a sample: by the faster of two, for another process may be in the way of one. */
async function repeatsOf(engine: Engine, run: () => Tensor): Promise<number> {
  const once = async (): Promise<number> => {
    await engine.sync();
    const start = performance.now();
    engine.scope(() => void run());
    await engine.sync();
    return performance.now() - start;
  };
  const fastest = Math.min(await once(), await once());
  return Math.max(1, Math.min(REPEATS, Math.ceil(SAMPLE_MS / fastest)));
}
