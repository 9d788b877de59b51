/** Share of the shortest known wait that is slept through. */
const SHARE = 0.7;
/** Milliseconds below which a timer is not worth it. */
const SHORTEST = 3;
const KEPT = 256;

/**
 * Sleeps before waits on a software driver. While a promise of the device is pending, Dawn's binding for Node polls it
 * without pause, on a core that the driver's own threads need. So a wait for work that took so long before sleeps
 * through most of that first. Work is known by its number of dispatches; a faster run shortens the next sleep.
 */
export class Patience {
  readonly #known = new Map<number, number>();
  #from = 0;
  #since: number | undefined;

  /** Tells that work was submitted. */
  submitted(): void {
    this.#since ??= performance.now();
  }

  /** Runs `wait`, which ends when all is done; `dispatches` counts all that were ever sent. */
  async during<T>(dispatches: number, wait: () => Promise<T>): Promise<T> {
    const size = dispatches - this.#from;
    const since = this.#since ?? performance.now();
    const known = this.#known.get(size);
    if (known !== undefined) {
      const rest = SHARE * known - (performance.now() - since);
      if (rest > SHORTEST) await new Promise((resolve) => setTimeout(resolve, rest));
    }
    const result = await wait();
    if (this.#known.size >= KEPT) this.#known.clear();
    this.#known.set(size, Math.min(performance.now() - since, (known ?? Infinity) * 1.1));
    this.#from = dispatches;
    this.#since = undefined;
    return result;
  }
}
