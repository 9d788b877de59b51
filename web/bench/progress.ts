import type { Progress } from "../../bench/harness.ts";
import { element } from "../dom.ts";
import { duration } from "../format.ts";

const phases = { check: "Checking", "warm-up": "Warming up", round: "Round" } as const;

/** How far a measurement is: a bar, and a line beside it. */
export class ProgressLine {
  readonly root: HTMLElement;
  readonly #bar = element("progress", { max: 1, value: 0, "aria-label": "Progress of the measurement" });
  readonly #line = element("p", { class: "figures" });

  constructor() {
    this.root = element("div", { hidden: true }, this.#bar, this.#line);
  }

  /** `share` of the whole, 0 to 1. */
  show(share: number, { phase, turn, turns, name, left }: Progress): void {
    this.root.hidden = false;
    this.#bar.value = share;
    const time = left === undefined ? "" : `, ${duration(left / 1000)} left`;
    this.#line.textContent = `${phases[phase]} ${turn} of ${turns}: ${name}${time}`;
  }

  hide(): void {
    this.root.hidden = true;
  }
}
