import { button, choiceField, group, numberField } from "../controls.ts";
import { element } from "../dom.ts";
import type { Given } from "./drawing.ts";
import { HeldBack } from "./held-back.ts";
import { Mask } from "./mask.ts";
import { MaskEditor } from "./mask-editor.ts";

const figures = Object.fromEntries(Array.from({ length: 10 }, (_, d) => [`${d}`, `${d}`]));

/** Controls by which a digit is chosen and a part of it hidden. */
export class Completion {
  readonly root: HTMLElement;
  readonly #heldBack: HeldBack;
  readonly #mask: Mask;
  readonly #editor: MaskEditor;
  readonly #digit = choiceField({ label: "Digit", value: "3", choices: figures });
  readonly #hand;
  readonly #brush = choiceField({
    label: "Brush",
    value: "hide",
    choices: { hide: "hides", show: "shows again" },
  });
  readonly #size = choiceField({
    label: "Its width",
    value: "5",
    choices: { "1": "1 pixel", "3": "3 pixels", "5": "5 pixels", "9": "9 pixels" },
  });

  /** `heldBack`: how many digits were kept from training; they are images of h by w pixels. */
  constructor(heldBack: number, h: number, w: number) {
    this.#heldBack = new HeldBack(heldBack);
    this.#mask = new Mask(w, h);
    this.#mask.set((x) => x >= w / 2);
    this.#hand = numberField({
      label: "Hand",
      value: 1,
      min: 1,
      max: this.#heldBack.hands,
      hint: "Who wrote it: digits that were kept from training",
    });
    this.#editor = new MaskEditor(this.#mask, () => ({
      size: Number(this.#size.value),
      hides: this.#brush.value === "hide",
    }));
    const preset = (label: string, hidden: (x: number, y: number) => boolean) =>
      button(label, () => {
        this.#mask.set(hidden);
        this.#editor.redraw();
      });
    this.root = group(
      "The digit, and its hidden part",
      this.#digit.root,
      this.#hand.root,
      this.#editor.root,
      this.#brush.root,
      this.#size.root,
      element(
        "div",
        { class: "buttons" },
        preset("Right half", (x) => x >= w / 2),
        preset("Lower half", (_, y) => y >= h / 2),
        preset("Nothing", () => false),
      ),
    );
    for (const { input } of [this.#digit, this.#hand]) input.addEventListener("change", () => this.#show());
    this.#show();
  }

  /** What is known. Throws UsageError for a hand that there is not. */
  given(): Given {
    return { pixels: this.#pixels(), known: this.#mask.known() };
  }

  #pixels(): Float32Array<ArrayBuffer> {
    return this.#heldBack.image(Number(this.#digit.value), this.#hand.value);
  }

  #show(): void {
    if (this.#hand.input.checkValidity()) this.#editor.show(`The digit ${this.#digit.value}`, this.#pixels());
  }
}
