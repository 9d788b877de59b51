import type { Engine } from "./engine.ts";
import { DeviceError } from "./errors.ts";

/** Passes that one reading can tell of. */
export const PASSES = 2048;

/** Timestamps rounded more coarsely than so many milliseconds, as in browsers, tell less than the wall clock. */
export const FINE = 0.002;

/**
 * The device's own clock around the passes that a stream sends while it is set there. What lies between passes, waits of
 * the host included, is not counted. Needs the feature timestamp-query. Browsers round timestamps: see `step`.
 */
export class Stopwatch {
  readonly #device: GPUDevice;
  readonly #querySet: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  readonly #staging: GPUBuffer;
  #passes = 0;
  #step = 0n;

  /** Throws DeviceError where the device has no timestamps. */
  constructor(device: GPUDevice) {
    if (!device.features.has("timestamp-query"))
      throw new DeviceError("stopwatch: the device lacks timestamp-query; measure by the wall clock");
    this.#device = device;
    this.#querySet = device.createQuerySet({ type: "timestamp", count: 2 * PASSES });
    const size = 16 * PASSES;
    this.#resolved = device.createBuffer({
      size,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
    this.#staging = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  }

  /** For the next pass. Passes beyond 2,048 between two readings make that reading undefined. */
  pass(): GPUComputePassDescriptor {
    const i = this.#passes++;
    if (i >= PASSES) return {};
    return {
      timestampWrites: {
        querySet: this.#querySet,
        beginningOfPassWriteIndex: 2 * i,
        endOfPassWriteIndex: 2 * i + 1,
      },
    };
  }

  /** The largest step, in milliseconds, that all stamps so far are multiples of: what they are rounded to. 0 before any. */
  get step(): number {
    return Number(this.#step) / 1e6;
  }

  /**
   * Waits for the passes since the last reading: the milliseconds of each. Undefined where some were not stamped, or the
   * device's clock was set back meanwhile, as it may be.
   */
  async read(): Promise<Float64Array | undefined> {
    const count = this.#passes;
    this.#passes = 0;
    if (count > PASSES) return undefined;
    if (count === 0) return new Float64Array();
    const encoder = this.#device.createCommandEncoder();
    encoder.resolveQuerySet(this.#querySet, 0, 2 * count, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, this.#staging, 0, 16 * count);
    this.#device.queue.submit([encoder.finish()]);
    await this.#staging.mapAsync(GPUMapMode.READ, 0, 16 * count);
    const stamps = new BigUint64Array(this.#staging.getMappedRange(0, 16 * count).slice(0));
    this.#staging.unmap();
    for (const stamp of stamps) this.#step = commonDivisor(stamp, this.#step);
    const times = Float64Array.from(
      { length: count },
      (_, i) => Number(stamps[2 * i + 1]! - stamps[2 * i]!) / 1e6,
    );
    return times.every((ms) => ms >= 0) ? times : undefined;
  }

  destroy(): void {
    this.#querySet.destroy();
    this.#resolved.destroy();
    this.#staging.destroy();
  }
}

interface TimedOptions {
  readonly stopwatch?: Stopwatch | undefined;
  /** Of the host, in milliseconds; performance.now unless given. */
  readonly clock?: () => number;
}

/** What `run` launches took, in milliseconds. */
interface Timed {
  /** By the host's clock, from before `run` to the end of the wait. */
  readonly wall: number;
  /** Of each pass by the stopwatch, where one was given and its stamps are sound. */
  readonly passes: Float64Array | undefined;
}

/** Times what `run` launches, when all before is done. */
export async function timed(
  engine: Engine,
  run: () => void,
  { stopwatch, clock = () => performance.now() }: TimedOptions = {},
): Promise<Timed> {
  await engine.sync();
  const from = clock();
  engine.stream.stopwatch = stopwatch;
  try {
    run();
    engine.stream.flush();
  } finally {
    engine.stream.stopwatch = undefined;
  }
  await engine.sync();
  const wall = clock() - from;
  return { wall, passes: await stopwatch?.read() };
}

/** Milliseconds of that: the sum of its passes where they are known, else those by the host's clock. */
export async function elapsed(engine: Engine, run: () => void, options: TimedOptions = {}): Promise<number> {
  const { wall, passes } = await timed(engine, run, options);
  return passes ? passes.reduce((sum, pass) => sum + pass, 0) : wall;
}

function commonDivisor(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}
