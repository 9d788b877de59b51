import { setTimeout as sleep } from "node:timers/promises";
import type { Engine } from "../engine/engine.ts";
import { cores, threadsTime } from "./processor.ts";

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
  /**
   * What the kernels would take with all cores to themselves: the processor time of a software driver's threads over
   * the cores. Hardly moved by a busy machine. Undefined for dispatch-bound cases, whose time is the host's too, and
   * where it cannot be read.
   */
  readonly alone: Spread | undefined;
}

export interface Fault {
  readonly case: Case;
  readonly what: string;
}

export interface Measured {
  readonly timings: readonly Timing[];
  readonly faults: readonly Fault[];
}

export interface MeasureOptions {
  rounds: number;
  warmUps?: number;
  /** Told what is being done, for a line of progress. */
  onProgress?: (line: string) => void;
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
  const { rounds, warmUps = 3, onProgress } = options;
  const faults: Fault[] = [];
  const clocks: Clock[] = [];
  for (const [i, c] of cases.entries()) {
    onProgress?.(`check ${i + 1}/${cases.length}: ${c.name}`);
    const what = await faultOf(c, engine);
    if (what === undefined) clocks.push(new Clock(engine, c));
    else faults.push({ case: c, what });
  }
  for (let round = -warmUps; round < rounds; round++)
    for (const [i, clock] of clocks.entries()) {
      onProgress?.(
        `${round < 0 ? "warm-up" : `round ${round + 1}/${rounds}`}, ${i + 1}/${clocks.length}: ${clock.case.name}`,
      );
      await clock.run({ warmUp: round < 0 });
    }
  return { timings: clocks.map((clock) => clock.timing()), faults };
}

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

/** Times one case. */
class Clock {
  readonly case: Case;
  readonly #engine: Engine;
  readonly #times: number[] = [];
  readonly #alone: number[] = [];
  #least = Infinity;

  constructor(engine: Engine, c: Case) {
    this.case = c;
    this.#engine = engine;
  }

  /** Submits the work and waits for it. A warm-up is not kept. */
  async run({ warmUp }: { warmUp: boolean }): Promise<void> {
    const engine = this.#engine;
    const before = engine.driver.software ? threadsTime() : undefined;
    const start = performance.now();
    engine.scope(() => this.case.run(engine));
    engine.stream.flush();
    if (!warmUp) await this.#rest(start);
    await engine.sync();
    const ms = performance.now() - start;
    this.#least = Math.min(this.#least, ms);
    if (warmUp) return;
    this.#times.push(ms);
    const after = before === undefined ? undefined : threadsTime();
    if (before !== undefined && after !== undefined) this.#alone.push((after - before) / cores());
  }

  timing(): Timing {
    const { bound } = this.case;
    const rounds = this.#times.length;
    const readable = this.#alone.length === rounds && bound !== "dispatch";
    return {
      case: this.case,
      rounds,
      wall: spread(this.#times),
      alone: readable ? spread(this.#alone) : undefined,
    };
  }

  /**
   * While a promise waits for the device the binding polls with a whole core, which a software driver needs: sleep
   * through the first half of the shortest time so far. A longer sleep might outlast the work and be all that is seen.
   */
  async #rest(start: number): Promise<void> {
    const left = 0.5 * this.#least - (performance.now() - start);
    if (this.#engine.driver.software && left >= 2) await sleep(left);
  }
}

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
