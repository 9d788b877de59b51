import { element, freshId } from "../dom.ts";
import { number } from "../format.ts";

/** Which noise scale of a ladder the arrows are of. Out of sight where there is but one. */
export class LevelChoice {
  readonly root: HTMLElement;
  readonly #input = element("input", { type: "range", id: freshId("level"), min: 0, max: 0, step: 1 });
  readonly #output = element("output", { for: this.#input.id });
  #sigmas: readonly number[] = [];

  /** `onChange` is told when another is chosen. */
  constructor(onChange: () => void) {
    this.root = element(
      "div",
      { class: "level-choice" },
      element("label", { for: this.#input.id }, "Arrows at noise scale"),
      this.#input,
      this.#output,
    );
    this.#input.addEventListener("input", () => {
      this.#say();
      onChange();
    });
    this.offer([]);
  }

  get label(): number {
    return this.#input.valueAsNumber;
  }

  /** Noise scales by label, descending; the smallest is chosen, where the score is that of the points themselves. */
  offer(sigmas: readonly number[]): void {
    this.#sigmas = sigmas;
    const last = Math.max(0, sigmas.length - 1);
    this.#input.max = `${last}`;
    this.#input.value = `${last}`;
    this.root.hidden = sigmas.length < 2;
    this.#say();
  }

  #say(): void {
    const sigma = this.#sigmas[this.label];
    const text = sigma === undefined ? "" : `sigma ${number(sigma)}`;
    this.#output.textContent = text;
    this.#input.setAttribute("aria-valuetext", text);
  }
}
