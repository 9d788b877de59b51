import { multiplyAdd } from "../kernels/roofline.ts";
import type { Engine } from "./engine.ts";
import { median } from "./profiler.ts";
import { FINE, Stopwatch, timed } from "./stopwatch.ts";

/** The most that an adapter does. */
export interface Roofline {
  /** A copy kernel over much more than caches hold, read and written bytes. */
  readonly gigabytesPerSecond: number;
  /** Multiply-adds in registers, two operations each. */
  readonly gigaflops: number;
  /** One empty dispatch among many, microseconds by the host's clock, whose part in it is included. */
  readonly dispatchMicroseconds: number;
  /** By which clock the two rates are: the device's on a GPU where its stamps are fine enough. */
  readonly clock: "timestamps" | "wall clock";
  /** One empty dispatch by that clock. */
  readonly launchMicroseconds: number;
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
    const tiny = await time(
      engine,
      () => {
        for (let i = 0; i < EMPTY; i++)
          engine.launch(multiplyAdd, {}, { y: to }, { threads: 1, rounds: 0, a: 0 });
      },
      stopwatch,
    );
    const stamped = [copy, flop, tiny].every(({ passes }) => passes !== undefined);
    const ms = ({ wall, passes }: Times): number => (stamped ? passes! : wall);
    return {
      gigabytesPerSecond: (8 * words) / ms(copy) / 1e6,
      gigaflops: (256 * threads * rounds) / ms(flop) / 1e6,
      dispatchMicroseconds: (tiny.wall / EMPTY) * 1000,
      clock: stamped ? "timestamps" : "wall clock",
      launchMicroseconds: (ms(tiny) / EMPTY) * 1000,
    };
  } finally {
    from.dispose();
    to.dispose();
    stopwatch?.destroy();
  }
}

/** Dispatches whose cost is dealt out among them. */
const EMPTY = 200;

/** Medians in milliseconds: by the host's clock, and of the passes by a stopwatch, if its stamps are fine enough. */
interface Times {
  readonly wall: number;
  readonly passes: number | undefined;
}

async function time(engine: Engine, run: () => void, stopwatch: Stopwatch | undefined): Promise<Times> {
  const walls: number[] = [];
  const passes: number[] = [];
  for (let i = 0; i < 8; i++) {
    const { wall, passes: stamps } = await timed(engine, run, { stopwatch });
    if (i <= 1) continue;
    walls.push(wall);
    if (stamps && stamps.length > 0) passes.push(stamps.reduce((sum, ms) => sum + ms));
  }
  const stamped = stopwatch && stopwatch.step <= FINE && passes.length === walls.length;
  return { wall: median(walls), passes: stamped ? median(passes) : undefined };
}
