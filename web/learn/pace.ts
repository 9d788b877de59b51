import { MOST_STEPS } from "./live-fit.ts";

/** What a frame may take, in milliseconds: pictures still follow one another, and a click is answered at once. */
const FRAME = 40;

/** How many training steps fit into a frame: chosen by what the last frames took. */
export class Pace {
  #steps = 1;

  get steps(): number {
    return this.#steps;
  }

  /** Told what a frame of so many steps took. It doubles at most, so that one lucky frame does not make a long one. */
  took(milliseconds: number): void {
    const fitting = Math.floor((this.#steps * FRAME) / Math.max(milliseconds, 1));
    this.#steps = Math.max(1, Math.min(fitting, 2 * this.#steps, MOST_STEPS));
  }
}

/** Steps a second over the last seconds. */
export class Rate {
  readonly #marks: { at: number; steps: number }[] = [];

  /** Told the time in milliseconds and the steps done in all. */
  mark(at: number, steps: number): void {
    this.#marks.push({ at, steps });
    while (this.#marks.length > 2 && at - this.#marks[0]!.at > 2000) this.#marks.shift();
  }

  clear(): void {
    this.#marks.length = 0;
  }

  get perSecond(): number | undefined {
    const [first, last] = [this.#marks[0], this.#marks.at(-1)];
    if (!first || !last || last.at <= first.at) return undefined;
    return (1000 * (last.steps - first.steps)) / (last.at - first.at);
  }
}
