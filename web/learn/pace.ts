import { MOST_STEPS } from "./live-fit.ts";

/** What a frame may take, in milliseconds: pictures still follow one another, and a click is answered at once. */
const FRAME = 40;

/** Milliseconds between which a wait for the device counts as one: a shorter one leaves room in the frame. */
const [SHORTEST_WAIT, LONGEST_WAIT] = [FRAME, 120];

/** Of so many frames of one step where more seem not to fit, one takes two all the same. */
const AGAIN = 64;

/**
 * How many training steps fit into a frame: chosen by what the last frames took. Firefox looks every 100 ms whether the
 * device has done its work: a wait that is the same for one step and for two counts for nothing.
 */
export class Pace {
  #steps = 1;
  #wait = 0;
  /** What the frame before took, if it was one of one step. */
  #single: number | undefined;
  #alone = 0;

  get steps(): number {
    return this.#steps;
  }

  /** Told what a frame of so many steps took. It doubles at most, so that one lucky frame does not make a long one. */
  took(milliseconds: number): void {
    if (this.#steps === 2 && this.#single !== undefined) this.#wait = waitOf(this.#single, milliseconds);
    this.#single = this.#steps === 1 ? milliseconds : undefined;
    const fitting = Math.floor((this.#steps * FRAME) / Math.max(milliseconds - this.#wait, 1));
    const next = Math.max(1, Math.min(fitting, 2 * this.#steps, MOST_STEPS));
    const alone = this.#steps === 1 && next === 1;
    this.#steps = alone && this.#alone++ % AGAIN === 0 ? 2 : next;
  }
}

/** What frames of one step and of two have in common. */
function waitOf(one: number, two: number): number {
  const wait = Math.min(2 * one - two, two, LONGEST_WAIT);
  return wait > SHORTEST_WAIT ? wait : 0;
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
