import type { Hardware } from "../kernels/kernel.ts";

/** Dispatches of the first submit to a GPU that has nothing to do, and of one to a GPU that is at work. */
const [FIRST, MOST] = [16, 128];
/** To a software driver, whose threads need the cores that the host has: large ones, and a replay as a whole. */
const CPU = { eager: 256, replayed: Infinity } as const;

/**
 * How many dispatches a submit takes. A GPU works on one while the host writes the next, and each costs the host some
 * time: so they begin small where the device waits for work, and double from one to the next.
 */
export class Pace {
  readonly #kind: Hardware["kind"];
  #next = FIRST;

  constructor(kind: Hardware["kind"]) {
    this.#kind = kind;
  }

  /** The most that the next submit should take, of dispatches that come one by one or of a replay. */
  most(of: "eager" | "replayed"): number {
    return this.#kind === "cpu" ? CPU[of] : this.#next;
  }

  /** Tells that a submit went out. */
  sent(): void {
    this.#next = Math.min(2 * this.#next, MOST);
  }

  /** Tells that the host has waited for the device: it has done what was sent. */
  waited(): void {
    this.#next = FIRST;
  }
}
