import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  truncateSync,
} from "node:fs";
import { dirname } from "node:path";
import { UsageError } from "../engine/errors.ts";

export interface Metrics {
  readonly step: number;
  readonly loss: number;
  /** Loss on the held-back images after this step, with the averaged weights; at some steps only. */
  readonly evalLoss?: number;
  readonly gradNorm: number;
  /** Learning rate. */
  readonly lr: number;
  readonly imagesPerSecond: number;
  /** Of training, up to and with this step: without evaluations and pictures. */
  readonly seconds: number;
}

/** metrics.jsonl, a line a step. */
export class MetricsLog {
  readonly #path: string;
  readonly #all: Metrics[];

  /**
   * Keeps the lines of the steps before `step`, where training goes on, and cuts off the file behind them: steps
   * that will be taken once more, and a line that a crash left half written. Throws UsageError for a file it
   * cannot write.
   */
  constructor(path: string, step: number) {
    this.#path = path;
    this.#all = this.#write(() => {
      mkdirSync(dirname(path), { recursive: true });
      return existsSync(path) ? cut(path, step) : [];
    });
  }

  /** Of all steps so far. */
  get rows(): readonly Metrics[] {
    return this.#all;
  }

  /** Seconds of training that the lines tell of. */
  get seconds(): number {
    return this.#all.at(-1)?.seconds ?? 0;
  }

  add(metrics: readonly Metrics[]): void {
    if (metrics.length === 0) return;
    for (const one of metrics) this.#all.push(one);
    this.#write(() => appendFileSync(this.#path, metrics.map((m) => `${JSON.stringify(m)}\n`).join("")));
  }

  /** Returns when the lines are on the disk: a checkpoint of their steps may not outlive them. */
  flush(): void {
    if (this.#all.length === 0) return;
    this.#write(() => {
      const file = openSync(this.#path, "a"); // Windows syncs no file that is open for reading alone
      try {
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
    });
  }

  /** Mean loss of the last `count` steps. */
  recent(count: number): number {
    return meanLoss(this.#all.slice(-count));
  }

  #write<T>(act: () => T): T {
    try {
      return act();
    } catch (cause) {
      throw new UsageError(
        `write: cannot write ${this.#path} (${(cause as Error).message}), expected a writable place; ` +
          "check the folder and its space",
        { cause },
      );
    }
  }
}

/** The whole lines of a file of metrics, up to the first that is none. */
export const readMetrics = (path: string): Metrics[] => wholeLines(path, Infinity).rows;

export const meanLoss = (rows: readonly Metrics[]): number =>
  rows.reduce((sum, m) => sum + m.loss, 0) / rows.length;

/** The evaluation with the least loss. */
export function bestEvaluation(rows: readonly Metrics[]): { step: number; loss: number } | undefined {
  let best: { step: number; loss: number } | undefined;
  for (const { step, evalLoss } of rows)
    if (evalLoss !== undefined && evalLoss < (best?.loss ?? Infinity))
      best = { step: step + 1, loss: evalLoss };
  return best;
}

/** Cuts a file of metrics off at the first line that is not of a step before `step`; returns what stays. */
function cut(path: string, step: number): Metrics[] {
  const { rows, bytes } = wholeLines(path, step);
  truncateSync(path, bytes);
  return rows;
}

function wholeLines(path: string, step: number): { rows: Metrics[]; bytes: number } {
  const rows: Metrics[] = [];
  let bytes = 0;
  for (const line of readFileSync(path, "utf8").split("\n").slice(0, -1)) {
    const metrics = parse(line);
    if (!(metrics && metrics.step < step)) break;
    rows.push(metrics);
    bytes += Buffer.byteLength(line) + 1;
  }
  return { rows, bytes };
}

function parse(line: string): Metrics | undefined {
  try {
    return JSON.parse(line) as Metrics;
  } catch {
    return undefined;
  }
}
