/** The progress line that stands unfinished on the terminal. */
let open = false;

/** Ends an unfinished progress line, so that other words start on a line of their own. */
export function endLine(): void {
  if (open) process.stderr.write("\n");
  open = false;
}

/** One line on a terminal that the next overwrites; empty to wipe it. */
export function statusLine(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${line}`);
}

/** Milliseconds before the first line and between two: on a terminal, in a log. */
const pace = { live: { first: 0, next: 100 }, log: { first: 1000, next: 10_000 } };

/** A line that says how far, how fast and how long still. On a terminal it redraws itself; in a log it comes now and then. */
export class Progress {
  readonly #name: string;
  readonly #total: number | undefined;
  readonly #live = process.stderr.isTTY === true;
  readonly #start = performance.now();
  #first: { done: number; at: number } | undefined;
  #shown = Number.NEGATIVE_INFINITY;

  /** `total` is undefined where nobody knows it: then there is no telling how long still. */
  constructor(name: string, total: number | undefined) {
    this.#name = name;
    this.#total = total;
  }

  /** Tells that `done` of the total are done; `note` is shown beside. The rate counts from the first call on. */
  update(done: number, note = ""): void {
    const now = performance.now();
    this.#first ??= { done, at: now };
    const total = this.#total ?? Infinity;
    const last = done >= total;
    const { first, next } = this.#live ? pace.live : pace.log;
    if (!last && (now - this.#start < first || now - this.#shown < next)) return;
    this.#shown = now;
    const share =
      total === Infinity || total === 0 ? "" : `/${total} (${Math.floor((100 * done) / total)} %)`;
    const parts = [`${this.#name} ${done}${share}`, ...this.#pace(done, now, last), note];
    const line = parts.filter(Boolean).join("  ");
    if (!this.#live) process.stderr.write(`${line}\n`);
    else {
      process.stderr.write(`\r\x1b[2K${line.slice(0, (process.stderr.columns || 80) - 1)}`);
      open = true;
      if (last) endLine();
    }
  }

  #pace(done: number, now: number, last: boolean): string[] {
    const { done: from, at } = this.#first!;
    const rate = (1000 * (done - from)) / (now - at);
    const shown = rate > 0 && now - at > 200 ? [`${rate.toFixed(rate < 10 ? 2 : 0)}/s`] : []; // else too early to tell
    if (last) return [...shown, `took ${duration((now - this.#start) / 1000)}`];
    if (this.#total === undefined || shown.length === 0) return shown;
    return [...shown, `${duration((this.#total - done) / rate)} left`];
  }
}

/** A progress line whose total comes with the first call: what functions take as `onProgress`. */
export function progressOf(name: string): (done: number, total: number, note?: string) => void {
  let progress: Progress | undefined;
  return (done, total, note) => {
    progress ??= new Progress(name, total);
    progress.update(done, note);
  };
}

/** Seconds as "1 h 02 min", "3 min 07 s" or "4.2 s". */
export function duration(seconds: number): string {
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const two = (n: number) => String(n).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}
