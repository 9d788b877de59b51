import { groups } from "../../bench/cases.ts";
import type { Case } from "../../bench/harness.ts";
import { checkField, choiceField, group, numberField } from "../controls.ts";
import { chosen, type Extent } from "./selection.ts";

/** What is measured and how often: the controls, and what they say. */
export class ExtentPanel {
  readonly root: HTMLElement;
  readonly #extent = choiceField<Extent>({
    label: "Cases",
    value: "quick",
    choices: { quick: "Quick selection", families: "Families", all: "Everything" },
    hint: "Everything takes many minutes where a processor plays GPU.",
  });
  readonly #rounds = numberField({
    label: "Rounds",
    value: 5,
    min: 1,
    max: 99,
    hint: "9 or more for firm medians.",
  });
  readonly #families = groups.map((name) => ({ name, field: checkField({ label: name, value: false }) }));

  constructor() {
    const families = group("Families", ...this.#families.map(({ field }) => field.root));
    families.classList.add("families");
    families.hidden = true;
    this.#extent.input.addEventListener("change", () => {
      families.hidden = this.#extent.value !== "families";
    });
    const measured = group("What is measured", this.#extent.root, this.#rounds.root);
    measured.classList.add("wide");
    this.root = document.createElement("div");
    this.root.append(measured, families);
  }

  /** Throws UsageError for what cannot be taken. */
  get rounds(): number {
    return this.#rounds.value;
  }

  /** Throws UsageError for none. */
  get cases(): readonly Case[] {
    const ticked = this.#families.filter(({ field }) => field.value).map(({ name }) => name);
    return chosen(this.#extent.value, new Set(ticked));
  }
}
