import type { Cost } from "../kernels/kernel.ts";
import type { Capture } from "./capture.ts";
import type { Engine } from "./engine.ts";
import { DeviceError } from "./errors.ts";
import { numberOf } from "./scalar.ts";
import { elapsed, PASSES, Stopwatch } from "./stopwatch.ts";
import type { Command } from "./stream.ts";

/** What one kernel took of a step. */
export interface ProfileRow {
  readonly kernel: string;
  readonly variant: string;
  readonly calls: number;
  /** Milliseconds of one step, median over the repeats. */
  readonly ms: number;
  /** Of the whole step's kernel time, 0 to 1. */
  readonly share: number;
  readonly gigabytesPerSecond: number;
  readonly gigaflops: number;
}

/** What a captured step took. */
export interface Profile {
  readonly rows: readonly ProfileRow[];
  /** Sum over all kernels, milliseconds a step. */
  readonly ms: number;
  readonly dispatches: number;
  /**
   * "timestamps" of the device, without what passes of their own cost, "wall clock" with a wait after each kernel, or
   * "processor time" of a software driver's threads, kernel by kernel.
   */
  readonly clock: "timestamps" | "wall clock" | "processor time";
}

/** How often, and by which clock. */
export interface ProfileOptions {
  /** Runs of the step, of whose times the medians are told; 5 unless told. */
  readonly repeats?: number;
  /**
   * Milliseconds of processor time that a software driver has had so far, over the cores: other processes delay it but
   * hardly add to it, as they do to timestamps. The step's values mean nothing afterwards, for each kernel is run by itself.
   */
  readonly processorTime?: () => number | undefined;
}

/**
 * Times every kernel of a captured step, `repeats` times over, and sums by kernel and variant, dearest first. Throws
 * DeviceError when the device is lost meanwhile.
 */
export async function profile(
  engine: Engine,
  capture: Capture<unknown>,
  { repeats = 5, processorTime }: ProfileOptions = {},
): Promise<Profile> {
  const { commands } = capture;
  const told = engine.driver.software && processorTime?.() !== undefined;
  const stopwatch =
    !told && engine.device.features.has("timestamp-query") ? new Stopwatch(engine.device) : undefined;
  const clock = told ? "processor time" : stopwatch ? "timestamps" : "wall clock";
  await engine.sync();
  const runs: Float64Array[] = [];
  let whole: number | undefined;
  try {
    for (let r = 0; r <= repeats; r++)
      if (told) runs.push(await byProcessor(engine, capture, () => processorTime!()!));
      else runs.push(await (stopwatch ? byTimestamps(capture, stopwatch) : byClock(engine, capture)));
    whole = stopwatch && (await wholeTime(engine, capture, { repeats, stopwatch }));
  } finally {
    stopwatch?.destroy();
    await engine.sync(); // tells what broke a wait off, or what the device complained of
  }
  runs.shift(); // the first warms up
  const medians = commands.map((_, i) => median(runs.map((run) => run[i]!)));
  const times = whole === undefined ? medians : withoutPasses(medians, whole);
  const total = times.reduce((a, b) => a + b, 0);
  const groups = new Map<
    string,
    { command: Command; calls: number; ms: number; bytes: number; flops: number }
  >();
  commands.forEach((command, i) => {
    const { label } = command.program;
    const row = groups.get(label) ?? { command, calls: 0, ms: 0, bytes: 0, flops: 0 };
    const { bytes, flops } = costOf(command);
    row.calls++;
    row.ms += times[i]!;
    row.bytes += bytes;
    row.flops += flops;
    groups.set(label, row);
  });
  const rows = [...groups.values()].map(({ command: { program }, calls, ms, bytes, flops }) => ({
    kernel: program.kernel.name,
    variant: JSON.stringify(program.variant),
    calls,
    ms,
    share: ms / total,
    gigabytesPerSecond: bytes / ms / 1e6,
    gigaflops: flops / ms / 1e6,
  }));
  rows.sort((a, b) => b.ms - a.ms);
  return { rows, ms: total, dispatches: commands.length, clock };
}

/** Useful bytes and operations of a recorded dispatch. */
export function costOf({ program, params }: Command): Cost {
  const named: Record<string, number> = {};
  Object.keys(program.kernel.params).forEach((name, i) => {
    named[name] = numberOf(params[i]!);
  });
  return program.kernel.cost(named, program.variant);
}

/**
 * Milliseconds of kernels without what it costs that each had a pass of its own: what all take beyond the step as it is
 * replayed, a few microseconds each on a GPU, is dealt out evenly and taken off, but never nine tenths of a time.
 */
export function withoutPasses(times: readonly number[], whole: number): number[] {
  const beyond = times.reduce((a, b) => a + b, 0) - whole;
  const each = Math.max(0, beyond / times.length);
  return times.map((ms) => Math.max(ms - each, ms / 10));
}

/** Milliseconds of the step as it is replayed, by the device's stamps. */
async function wholeTime(
  engine: Engine,
  capture: Capture<unknown>,
  { repeats, stopwatch }: { repeats: number; stopwatch: Stopwatch },
): Promise<number> {
  const times: number[] = [];
  for (let r = 0; r < repeats; r++)
    times.push(await elapsed(engine, () => void capture.replay(), { stopwatch }));
  return median(times);
}

/** How often stamps are taken before a clock that is set back each time is given up. */
const TRIES = 3;

async function byTimestamps(capture: Capture<unknown>, stopwatch: Stopwatch): Promise<Float64Array> {
  const times = new Float64Array(capture.commands.length);
  for (let from = 0; from < times.length; from += PASSES) {
    const to = Math.min(from + PASSES, times.length);
    let passes: Float64Array | undefined;
    for (let tries = 0; !passes && tries < TRIES; tries++) {
      capture.replayRange(from, to, () => stopwatch.pass());
      passes = await stopwatch.read();
    }
    if (!passes) throw new DeviceError("profile: the device's clock is set back again and again; try again");
    times.set(passes, from);
  }
  return times;
}

async function byClock(engine: Engine, capture: Capture<unknown>): Promise<Float64Array> {
  const times = new Float64Array(capture.commands.length);
  for (let i = 0; i < times.length; i++) {
    const start = performance.now();
    capture.replayRange(i, i + 1, () => ({}));
    await engine.device.queue.onSubmittedWorkDone();
    times[i] = performance.now() - start;
  }
  return times;
}

/** All dispatches of a kernel at once, their time dealt out evenly: what is asked for are sums by kernel. */
async function byProcessor(
  engine: Engine,
  capture: Capture<unknown>,
  processorTime: () => number,
): Promise<Float64Array> {
  const times = new Float64Array(capture.commands.length);
  const kernels = new Map<string, number[]>();
  capture.commands.forEach(({ program: { label } }, i) => {
    kernels.set(label, [...(kernels.get(label) ?? []), i]);
  });
  for (const indices of kernels.values()) {
    const start = processorTime();
    capture.replayOnly(indices);
    await engine.device.queue.onSubmittedWorkDone();
    const ms = (processorTime() - start) / indices.length;
    for (const i of indices) times[i] = ms;
  }
  return times;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
