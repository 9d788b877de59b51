import { duration, number } from "../format.ts";
import type { Moment } from "./drawing.ts";

/** How far a drawing has come, how fast it goes and how long still. */
export class Pace {
  #first: { done: number; at: number } | undefined;
  readonly #began = performance.now();

  /** Words for a step; the rate counts from the first step on, which has compiling in it. */
  words({ done, total, level, sigma }: Omit<Moment, "x" | "seen">, levels: number): string {
    const now = performance.now();
    this.#first ??= { done, at: now };
    const rate = (1000 * (done - this.#first.done)) / (now - this.#first.at);
    const parts = [`step ${done} of ${total}`, `level ${level + 1} of ${levels}, σ ${number(sigma, 2)}`];
    if (rate > 0) parts.push(`${number(rate, 2)} steps/s`);
    if (rate > 0 && done < total) parts.push(`${duration((total - done) / rate)} left`);
    return parts.join(" · ");
  }

  /** Since it began. */
  get took(): string {
    return duration((performance.now() - this.#began) / 1000);
  }
}
