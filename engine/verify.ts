import type { Engine } from "./engine.ts";
import { UsageError } from "./errors.ts";
import type { OpEvent } from "./op.ts";
import { type Array64, array64 } from "./oracle/array.ts";
import { showShape } from "./shapes.ts";
import { type HostData, isFloat, type Tensor } from "./tensor.ts";

/** An op as it was held against its oracle. */
export interface OpReport {
  readonly op: string;
  /** Modules around the op, outermost first. */
  readonly path: string;
  /** Which op of the step, from 0. */
  readonly index: number;
  readonly shapes: string;
  /** Largest absolute error as a share of the largest absolute value: of the result, or of what a sum sums up. */
  readonly error: number;
}

/** What Engine.verify found. */
export interface VerifyReport {
  readonly ops: number;
  readonly worst: OpReport | undefined;
  /** The first op whose error exceeds the tolerance. */
  readonly departed: OpReport | undefined;
}

interface Seen extends OpEvent {
  readonly copies: readonly (Tensor | undefined)[];
  readonly output: Tensor;
}

/** How strict Engine.verify is. */
export interface VerifyOptions {
  /** The largest error that passes, see OpReport; 1e-4 unless told. */
  tolerance?: number;
  /** Told after each op that was held against the oracle. */
  onProgress?: (done: number, total: number) => void;
}

/**
 * Runs a step and every op of it once more in float64 on the host, from the values the device really had: names
 * the first op that departs. Slow, and it keeps copies of all values: for small inputs.
 */
export async function verify(
  engine: Engine,
  step: () => unknown,
  { tolerance = 1e-4, onProgress }: VerifyOptions = {},
): Promise<VerifyReport> {
  const seen = observe(
    engine,
    step,
    (event): Seen => ({
      ...event,
      copies: event.inputs.map((t) => t && engine.copyOf(t)),
      output: engine.copyOf(event.y),
    }),
  );
  let worst: OpReport | undefined;
  let departed: OpReport | undefined;
  await eachOf(seen, async ({ spec, attrs, copies, output, path }, index) => {
    if (spec.oracle !== "none") {
      const inputs = await Promise.all(copies.map((t) => t && toArray64(t)));
      const summed = spec.name === "sum" ? largest(inputs[0]!) : 0; // sums may cancel, as the gradient of an attention's key bias
      const error = departure(await toArray64(output), spec.oracle(inputs, attrs), summed);
      const shapes = copies.map((t) => (t ? showShape(t.shape) : "-")).join(" ");
      const report = { op: spec.name, path, index, shapes, error };
      if (!worst || !(error <= worst.error)) worst = report;
      if (!(error <= tolerance)) departed ??= report;
    }
    onProgress?.(index + 1, seen.length);
  });
  return { ops: seen.length, worst, departed };
}

/**
 * Runs a step and names the first op whose result holds NaN or infinity, with the modules around it. Undefined when all is
 * finite. What the step was given is not looked at: of a batch that held some before, the first op that reads it is named.
 */
export async function findNonFinite(engine: Engine, step: () => unknown): Promise<OpReport | undefined> {
  const seen = observe(engine, step, (event) => ({ ...event, copies: [], output: event.y.alias() }));
  let found: OpReport | undefined;
  await eachOf(seen, async ({ spec, path, output }, index) => {
    if (!found && isFloat(output) && !allFinite(await output.data()))
      found = { op: spec.name, path, index, shapes: showShape(output.shape), error: Number.NaN };
  });
  return found;
}

/** By bit pattern, as the kernels do. */
export function allFinite(values: HostData | Float32Array): boolean {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return bits.every((b) => (b & 0x7f800000) !== 0x7f800000);
}

function observe(engine: Engine, step: () => unknown, keep: (event: OpEvent) => Seen): Seen[] {
  const seen: Seen[] = [];
  if (engine.observer)
    throw new UsageError(
      "verify: got an engine that is being observed, expected none that is; wait until the other verify ends",
    );
  engine.observer = (event) => {
    seen.push(keep(event));
  };
  try {
    engine.scope(() => {
      step();
    });
  } catch (cause) {
    seen.forEach(forget);
    throw cause;
  } finally {
    engine.observer = undefined;
  }
  return seen;
}

/** Frees what was kept of each as soon as it was looked at, and of all at the end. */
async function eachOf(seen: readonly Seen[], look: (s: Seen, index: number) => Promise<void>): Promise<void> {
  try {
    for (const [index, s] of seen.entries()) {
      await look(s, index);
      forget(s);
    }
  } finally {
    seen.forEach(forget);
  }
}

function forget({ copies, output }: Seen): void {
  for (const t of copies) t?.dispose();
  output.dispose();
}

/** A tensor's values for an oracle. */
export async function toArray64(t: Tensor): Promise<Array64> {
  return array64(t.shape, await t.data());
}

function departure(got: Array64, truth: Array64, least: number): number {
  const scale = Math.max(1e-30, least, largest(truth));
  let worst = 0;
  for (const [i, v] of truth.data.entries()) {
    const g = got.data[i]!;
    if (Object.is(v, g) || v === g || (Number.isNaN(v) && Number.isNaN(g))) continue;
    const error = Math.abs(g - v);
    worst = Number.isFinite(error) ? Math.max(worst, error) : Infinity;
  }
  return worst / scale;
}

/** Of the finite values, by their size. */
const largest = ({ data }: Array64): number =>
  data.reduce((most, v) => (Number.isFinite(v) ? Math.max(most, Math.abs(v)) : most), 0);
