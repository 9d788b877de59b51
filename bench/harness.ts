import { setTimeout as sleep } from "node:timers/promises";
import type { Engine } from "../engine/engine.ts";

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

/** A case's times over the rounds, in milliseconds. */
export interface Timing {
  readonly case: Case;
  readonly times: readonly number[];
  readonly median: number;
  readonly lower: number;
  readonly upper: number;
  readonly best: number;
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
      await clock.run(round >= 0);
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
  #expected = 0;

  constructor(engine: Engine, c: Case) {
    this.case = c;
    this.#engine = engine;
  }

  /** Submits the work and waits for it. */
  async run(keep: boolean): Promise<void> {
    const engine = this.#engine;
    const start = performance.now();
    engine.scope(() => this.case.run(engine));
    engine.stream.flush();
    await this.#rest(start);
    await engine.sync();
    const ms = performance.now() - start;
    this.#expected = this.#expected === 0 ? ms : Math.min(this.#expected, ms);
    if (keep) this.#times.push(ms);
  }

  timing(): Timing {
    const sorted = [...this.#times].sort((a, b) => a - b);
    const at = (q: number) => quantile(sorted, q);
    return {
      case: this.case,
      times: this.#times,
      median: at(0.5),
      lower: at(0.25),
      upper: at(0.75),
      best: sorted[0]!,
    };
  }

  /** While a promise waits for the device the binding polls with a whole core, which a software driver needs: sleep first. */
  async #rest(start: number): Promise<void> {
    const left = 0.8 * this.#expected - (performance.now() - start);
    if (this.#engine.driver.software && left >= 2) await sleep(left);
  }
}

/** Of sorted values, between neighbours by proportion. */
function quantile(sorted: readonly number[], q: number): number {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low]! + (at - low) * ((sorted[low + 1] ?? sorted[low]!) - sorted[low]!);
}
