import { appendFileSync, existsSync, mkdirSync, readFileSync, truncateSync } from "node:fs";
import { dirname } from "node:path";
import { UsageError } from "../engine/errors.ts";
import { linePlot } from "./pictures/plot.ts";

export interface Metrics {
  readonly step: number;
  readonly loss: number;
  readonly gradNorm: number;
  /** Of training, up to and with this step. */
  readonly seconds: number;
}

/** Points of the plot's lines; more would be finer than its pixels. */
const POINTS = 500;

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

  /** Seconds of training that the lines tell of. */
  get seconds(): number {
    return this.#all.at(-1)?.seconds ?? 0;
  }

  add(metrics: readonly Metrics[]): void {
    if (metrics.length === 0) return;
    for (const one of metrics) this.#all.push(one);
    this.#write(() => appendFileSync(this.#path, metrics.map((m) => `${JSON.stringify(m)}\n`).join("")));
  }

  /** Mean loss of the last `count` steps. */
  recent(count: number): number {
    return mean(this.#all.slice(-count));
  }

  /** The loss over the steps as an SVG file. */
  plot(title = "Denoising score matching"): string {
    const rows = this.#all;
    const stride = Math.max(1, Math.ceil(rows.length / POINTS));
    const width = 10 * stride;
    const shown = rows.map((_, i) => i).filter((i) => i % stride === 0);
    const x = shown.map((i) => rows[i]!.step);
    const each = stride === 1 ? "each step" : `one step in ${stride}`;
    const smooth = shown.map((i) => mean(rows.slice(Math.max(0, i - width + 1), i + 1)));
    const series = [
      { name: each, x, y: shown.map((i) => rows[i]!.loss) },
      { name: `mean of ${width}`, x, y: smooth },
    ];
    return linePlot({
      title,
      xLabel: "step",
      yLabel: "loss",
      series,
      logY: true,
    });
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

/** Cuts a file of metrics off at the first line that is not of a step before `step`; returns what stays. */
function cut(path: string, step: number): Metrics[] {
  const kept: Metrics[] = [];
  let bytes = 0;
  for (const line of readFileSync(path, "utf8").split("\n").slice(0, -1)) {
    const metrics = parse(line);
    if (!(metrics && metrics.step < step)) break;
    kept.push(metrics);
    bytes += Buffer.byteLength(line) + 1;
  }
  truncateSync(path, bytes);
  return kept;
}

function parse(line: string): Metrics | undefined {
  try {
    return JSON.parse(line) as Metrics;
  } catch {
    return undefined;
  }
}

const mean = (rows: readonly Metrics[]): number => rows.reduce((sum, m) => sum + m.loss, 0) / rows.length;
