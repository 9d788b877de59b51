import { multiplyAdd } from "../kernels/roofline.ts";
import type { Engine } from "./engine.ts";
import { median } from "./profiler.ts";
import { Stopwatch } from "./stopwatch.ts";

/** The most that an adapter does. */
export interface Roofline {
  /** A copy kernel over much more than caches hold, read and written bytes. */
  readonly gigabytesPerSecond: number;
  /** Multiply-adds in registers, two operations each. */
  readonly gigaflops: number;
  /** One empty dispatch among many, microseconds. */
  readonly dispatchMicroseconds: number;
}

/** Floats to copy for a bandwidth: 64 MiB; on a GPU, whose cache may hold that, 256 MiB where it can be bound. */
export const copyWords = ({ hardware: { kind, maxBinding } }: Engine): number =>
  kind === "gpu" ? Math.min(1 << 26, Math.floor(maxBinding / 16) * 4) : 1 << 24;

/** Measures what this adapter can do at best with Stein's kernels. Takes about a second. */
export async function measureRoofline(engine: Engine): Promise<Roofline> {
  const words = copyWords(engine);
  const from = engine.untrack(engine.zeros([words]));
  const to = engine.untrack(engine.zeros([words]));
  const gpu = engine.hardware.kind === "gpu";
  const threads = gpu ? 1 << 21 : 1 << 12;
  const rounds = gpu ? 256 : 64;
  const stopwatch =
    gpu && engine.device.features.has("timestamp-query") ? new Stopwatch(engine.device) : undefined;
  try {
    const copy = await time(engine, () => engine.copy(from, to), stopwatch);
    const flop = await time(
      engine,
      () => engine.launch(multiplyAdd, {}, { y: to }, { threads, rounds, a: 1e-8 }),
      stopwatch,
    );
    const tiny = await time(engine, () => {
      for (let i = 0; i < 200; i++)
        engine.launch(multiplyAdd, {}, { y: to }, { threads: 1, rounds: 0, a: 0 });
    });
    return {
      gigabytesPerSecond: (8 * words) / copy / 1e6,
      gigaflops: (256 * threads * rounds) / flop / 1e6,
      dispatchMicroseconds: (tiny / 200) * 1000,
    };
  } finally {
    from.dispose();
    to.dispose();
    stopwatch?.destroy();
  }
}

/** Timestamps rounded more coarsely than so many milliseconds, as in browsers, tell less than the wall clock. */
const FINE = 0.002;

/** Milliseconds of the passes by a stopwatch, if its stamps are fine enough; of the host's clock without. */
async function time(engine: Engine, run: () => void, stopwatch?: Stopwatch): Promise<number> {
  const walls: number[] = [];
  const passes: number[] = [];
  for (let i = 0; i < 8; i++) {
    const start = performance.now();
    engine.stream.stopwatch = stopwatch;
    try {
      run();
      engine.stream.flush();
    } finally {
      engine.stream.stopwatch = undefined;
    }
    await engine.sync();
    const wall = performance.now() - start;
    const stamps = await stopwatch?.read();
    if (i <= 1) continue;
    walls.push(wall);
    if (stamps && stamps.length > 0) passes.push(stamps.reduce((sum, ms) => sum + ms));
  }
  const stamped = stopwatch && stopwatch.step <= FINE && passes.length === walls.length;
  return median(stamped ? passes : walls);
}
