import { multiplyAdd } from "../kernels/roofline.ts";
import type { Engine } from "./engine.ts";
import { median } from "./profiler.ts";

export interface Roofline {
  /** A copy kernel over 64 MiB, read and written bytes. */
  readonly gigabytesPerSecond: number;
  /** Multiply-adds in registers, two operations each. */
  readonly gigaflops: number;
  /** One empty dispatch among many, microseconds. */
  readonly dispatchMicroseconds: number;
}

const WORDS = 1 << 24;

/** Measures what this adapter can do at best with Stein's kernels. Takes about a second. */
export async function measureRoofline(engine: Engine): Promise<Roofline> {
  const from = engine.untrack(engine.zeros([WORDS]));
  const to = engine.untrack(engine.zeros([WORDS]));
  const gpu = engine.hardware.kind === "gpu";
  const threads = gpu ? 1 << 20 : 1 << 12;
  const rounds = gpu ? 256 : 64;
  const copy = await time(engine, () => engine.copy(from, to));
  const flop = await time(engine, () =>
    engine.launch(multiplyAdd, {}, { y: to }, { threads, rounds, a: 1e-8 }),
  );
  const tiny = await time(engine, () => {
    for (let i = 0; i < 200; i++) engine.launch(multiplyAdd, {}, { y: to }, { threads: 1, rounds: 0, a: 0 });
  });
  from.dispose();
  to.dispose();
  return {
    gigabytesPerSecond: (8 * WORDS) / copy / 1e6,
    gigaflops: (256 * threads * rounds) / flop / 1e6,
    dispatchMicroseconds: (tiny / 200) * 1000,
  };
}

async function time(engine: Engine, run: () => void): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 8; i++) {
    const start = performance.now();
    run();
    await engine.sync();
    if (i > 1) times.push(performance.now() - start);
  }
  return median(times);
}
