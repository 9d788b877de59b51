/** A line that says how far, how fast and how long still. On a terminal it redraws itself; in a log it comes now and then. */
export class Progress {
  readonly #name: string;
  readonly #total: number;
  readonly #first: number;
  readonly #start = performance.now();
  readonly #live: boolean;
  #shown = Number.NEGATIVE_INFINITY;

  /** `first`: what was done before this start, for resumed work. */
  constructor(name: string, total: number, first = 0) {
    this.#name = name;
    this.#total = total;
    this.#first = first;
    this.#live = process.stderr.isTTY === true;
  }

  /** Tells that `done` of the total are done; `note` is shown beside. */
  update(done: number, note = ""): void {
    const now = performance.now();
    const last = done >= this.#total;
    if (!last && now - this.#shown < (this.#live ? 100 : 10_000)) return;
    this.#shown = now;
    const seconds = (now - this.#start) / 1000;
    const rate = (done - this.#first) / seconds;
    const left = rate > 0 ? duration((this.#total - done) / rate) : "?";
    const share = Math.floor((100 * done) / this.#total);
    const line = `${this.#name} ${done}/${this.#total} (${share} %)  ${rate.toFixed(rate < 10 ? 2 : 0)}/s  ${last ? `took ${duration(seconds)}` : `${left} left`}  ${note}`;
    process.stderr.write(this.#live ? `\r\x1b[2K${line}${last ? "\n" : ""}` : `${line}\n`);
  }
}

/** Seconds as "1 h 02 min", "3 min 07 s" or "4.2 s". */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  const two = (n: number) => String(Math.floor(n)).padStart(2, "0");
  if (minutes < 60) return `${minutes} min ${two(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}
