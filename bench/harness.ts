import type { Engine } from "../engine/engine.ts";
import { FINE, Stopwatch } from "../engine/stopwatch.ts";
import type { Host } from "./host.ts";

/** What a case runs against: multiply-adds, bytes, or the cost of a dispatch. */
export type Bound = "compute" | "memory" | "dispatch";

/** Work whose time is of interest. Bytes and operations are those the mathematics asks for, whatever the kernels move. */
export interface Case {
  /** Unique among all cases: reports are compared by it. */
  readonly name: string;
  /** The family, as its file is called. */
  readonly group: string;
  /** The problem's size, for people. */
  readonly shape: string;
  readonly bound: Bound;
  readonly bytes: number;
  readonly flops: number;
  /** How many ops a dispatch-bound case asks for. */
  readonly dispatches?: number;
  /** Launches the work once; the caller brings the scope. Inputs and captures come from inputs.ts and stay. */
  run(engine: Engine): void;
  /** What is wrong with the results at a small size, if anything: a wrong case is not timed. */
  check?(engine: Engine): Promise<string | undefined>;
}

/**
 * Which of a case's times a figure is of: the median by the wall clock, the least, by the device's timestamps, or of the
 * driver's processor time.
 */
export type By = "median" | "best" | "gpu" | "alone";

/** Milliseconds over the rounds: the middle, the bounds of the middle half, and the least. */
export interface Spread {
  readonly median: number;
  readonly lower: number;
  readonly upper: number;
  readonly best: number;
}

export interface Timing {
  readonly case: Case;
  readonly rounds: number;
  /** From the first launch to the end of the wait for the device. */
  readonly wall: Spread;
  /** By the device's timestamps at the ends of every pass; undefined where it has none. See docs/bench.md. */
  readonly gpu: Spread | undefined;
  /**
   * What the kernels would take with all cores to themselves: the processor time of a software driver's threads over
   * the cores. Hardly moved by a busy machine. Undefined where it cannot be read.
   */
  readonly alone: Spread | undefined;
  /** What rates and shares are of: the steadiest of them, the wall for dispatch-bound cases, whose time is the host's too. */
  readonly by: Exclude<By, "best">;
}

export interface Fault {
  readonly case: Case;
  readonly what: string;
}

export interface Measured {
  readonly timings: readonly Timing[];
  readonly faults: readonly Fault[];
  /** Milliseconds that the device's timestamps are rounded to; undefined where there are none. */
  readonly timestampStep: number | undefined;
}

/** How far a measurement is. */
export interface Progress {
  readonly phase: "check" | "warm-up" | "round";
  /** Which warm-up or round, from 1, and of how many; of a check, which case. */
  readonly turn: number;
  readonly turns: number;
  /** The case's name. */
  readonly name: string;
  /** Milliseconds that the rounds still to come will take, by those gone by; undefined before the first. */
  readonly left: number | undefined;
}

/** "round 3/9: matmul 512, 1.5 s left" */
export const progressLine = ({ phase, turn, turns, name, left }: Progress): string =>
  `${phase} ${turn}/${turns}: ${name}${left === undefined ? "" : `, ${(left / 1000).toFixed(1)} s left`}`;

export interface MeasureOptions {
  readonly rounds: number;
  readonly warmUps?: number;
  /**
   * A case of less than so many milliseconds is run several times over in each round, so that the wait at its end weighs
   * little; times are of one. 5 on a GPU, 0 on a software driver unless told.
   */
  readonly least?: number;
  readonly host: Host;
  /** Told before each case. */
  readonly onProgress?: (progress: Progress) => void;
  /** Told after each round what is known so far. */
  readonly onRound?: (soFar: Measured) => void;
  /** Ends the measurement after the case in progress; what has been timed by then stands. */
  readonly signal?: AbortSignal;
}

/**
 * Checks every case, then times them interleaved: each round runs every case once, so that a change of the
 * machine's mood falls on all of them.
 */
export async function measure(
  engine: Engine,
  cases: readonly Case[],
  options: MeasureOptions,
): Promise<Measured> {
  const { rounds, warmUps = 3, host, onProgress, onRound, signal } = options;
  const { least = engine.driver.software ? 0 : 5 } = options;
  const faults: Fault[] = [];
  const clocks: Clock[] = [];
  const stopwatch = engine.device.features.has("timestamp-query") ? new Stopwatch(engine.device) : undefined;
  const measured = (): Measured => ({
    timings: clocks.filter((clock) => clock.rounds > 0).map((clock) => clock.timing()),
    faults,
    timestampStep: stopwatch?.step || undefined,
  });
  try {
    for (const [i, c] of cases.entries()) {
      if (signal?.aborted) return measured();
      onProgress?.({ phase: "check", turn: i + 1, turns: cases.length, name: c.name, left: undefined });
      const what = await faultOf(c, engine);
      if (what === undefined) clocks.push(new Clock(engine, c, { host, stopwatch, least }));
      else faults.push({ case: c, what });
    }
    for (let turn = 1; turn <= warmUps + rounds; turn++) {
      const warmUp = turn <= warmUps;
      for (const [i, clock] of clocks.entries()) {
        if (signal?.aborted) return measured();
        onProgress?.({
          phase: warmUp ? "warm-up" : "round",
          turn: warmUp ? turn : turn - warmUps,
          turns: warmUp ? warmUps : rounds,
          name: clock.case.name,
          left: turn === 1 ? undefined : timeLeft(clocks, i, warmUps + rounds - turn),
        });
        await clock.run({ warmUp });
      }
      if (!warmUp) onRound?.(measured());
    }
    return measured();
  } finally {
    stopwatch?.destroy();
  }
}

/** From case i of this turn on, and all of `turns` more. */
const timeLeft = (clocks: readonly Clock[], i: number, turns: number): number =>
  clocks.reduce((sum, { latest }, k) => sum + latest * (turns + (k < i ? 0 : 1)), 0);

async function faultOf(c: Case, engine: Engine): Promise<string | undefined> {
  try {
    const wrong = await c.check?.(engine);
    if (wrong !== undefined) return wrong;
    engine.scope(() => c.run(engine)); // compiles, makes the inputs
    await engine.sync();
    return undefined;
  } catch (cause) {
    return String(cause);
  }
}

interface ClockOptions extends Required<Pick<MeasureOptions, "host" | "least">> {
  readonly stopwatch: Stopwatch | undefined;
}

const MOST_REPEATS = 100;

/** Times one case. */
class Clock {
  readonly case: Case;
  readonly #engine: Engine;
  readonly #host: Host;
  readonly #stopwatch: Stopwatch | undefined;
  readonly #aim: number;
  readonly #times: number[] = [];
  readonly #gpu: number[] = [];
  readonly #alone: number[] = [];
  #least = Infinity;
  /** Milliseconds of the latest run, its waits and readings included. */
  latest = 0;

  constructor(engine: Engine, c: Case, { host, stopwatch, least }: ClockOptions) {
    this.case = c;
    this.#engine = engine;
    this.#host = host;
    this.#stopwatch = stopwatch;
    this.#aim = c.bound === "dispatch" ? 0 : least;
  }

  get rounds(): number {
    return this.#times.length;
  }

  /** Submits the work, as often as fills the least time, and waits for it. A warm-up is not kept. */
  async run({ warmUp }: { warmUp: boolean }): Promise<void> {
    const [engine, host] = [this.#engine, this.#host];
    const repeats = Math.min(MOST_REPEATS, Math.max(1, Math.ceil(this.#aim / this.#least)));
    const before = engine.driver.software ? host.threadsTime() : undefined;
    const start = performance.now();
    engine.stream.stopwatch = this.#stopwatch;
    try {
      for (let i = 0; i < repeats; i++) {
        engine.scope(() => this.case.run(engine));
        if (this.case.bound === "memory") engine.stream.flush(); // elementwise kernels side by side would become one
      }
      engine.stream.flush();
    } finally {
      engine.stream.stopwatch = undefined;
    }
    if (!warmUp) await this.#rest(start, repeats);
    await engine.sync();
    const ms = (performance.now() - start) / repeats;
    const after = before === undefined ? undefined : host.threadsTime();
    const passes = await this.#stopwatch?.read();
    this.latest = performance.now() - start;
    this.#least = Math.min(this.#least, ms);
    if (warmUp) return;
    this.#times.push(ms);
    if (passes) this.#gpu.push(passes.reduce((sum, pass) => sum + pass, 0) / repeats);
    if (before !== undefined && after !== undefined)
      this.#alone.push((after - before) / host.cores / repeats);
  }

  timing(): Timing {
    const { bound } = this.case;
    const { rounds } = this;
    const alone = this.#alone.length === rounds ? spread(this.#alone) : undefined;
    const gpu = this.#gpu.length === rounds ? spread(this.#gpu) : undefined;
    const fine = this.#stopwatch !== undefined && this.#stopwatch.step <= FINE;
    const by = bound === "dispatch" ? "median" : alone ? "alone" : gpu && fine ? "gpu" : "median";
    return { case: this.case, rounds, wall: spread(this.#times), gpu, alone, by };
  }

  /**
   * While a promise waits for the device the binding polls with a whole core, which a software driver needs: sleep
   * through the first half of the shortest time so far. A longer sleep might outlast the work and be all that is seen.
   */
  async #rest(start: number, repeats: number): Promise<void> {
    const left = 0.5 * this.#least * repeats - (performance.now() - start);
    if (this.#engine.driver.software && left >= 2 && left < Infinity) await sleep(left); // nothing is known without a warm-up
  }
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Of values, at least one. */
function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const [median, lower, upper, best] = [0.5, 0.25, 0.75, 0].map((q) => quantile(sorted, q));
  return { median: median!, lower: lower!, upper: upper!, best: best! };
}

/** Of sorted values, between neighbours by proportion. */
function quantile(sorted: readonly number[], q: number): number {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low]! + (at - low) * ((sorted[low + 1] ?? sorted[low]!) - sorted[low]!);
}
