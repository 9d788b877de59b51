import { checkField, choiceField, type Field, group, numberField } from "../controls.ts";
import { element } from "../dom.ts";
import type { About } from "./checkpoint.ts";
import { Completion } from "./completion.ts";
import type { MethodName, Settings } from "./drawing.ts";

/** Of consistent annealed sampling on ten scales: all the noise is taken off in each step, and the next scale's put on. */
const CONSISTENT_EPSILON = 1e-4;
const MOST_IMAGES = 64;

/** The controls of the view, and what they say. */
export class SettingsForm {
  readonly root: HTMLElement;
  readonly count = numberField({ label: "Images", value: 16, min: 1, max: MOST_IMAGES });
  readonly #task = choiceField({
    label: "Draw",
    value: "new",
    choices: { new: "new digits", rest: "a hidden part" },
  });
  readonly #method = choiceField<MethodName>({
    label: "Sampler",
    value: "annealed",
    choices: { annealed: "annealed Langevin", consistent: "consistent annealed" },
  });
  readonly #stepsPerLevel: Field<number>;
  readonly #epsilon: Field<number>;
  readonly #seed: Field<number>;
  readonly #denoise = checkField({
    label: "Denoise last",
    value: true,
    hint: "Ends at the mean of the clean images, x + σ² score",
  });
  readonly #completion: Completion;

  constructor(about: About) {
    const { stepsPerLevel, epsilon, seed } = about.sampling;
    const [, h, w] = about.image;
    this.#completion = new Completion(about.heldBack, h, w);
    this.#stepsPerLevel = numberField({ label: "Steps a level", value: stepsPerLevel, min: 1, max: 1000 });
    this.#epsilon = numberField({
      ...{ label: "Step size ε", value: epsilon, min: 1e-9, max: 1, step: "any" },
      hint: "At the smallest σ; larger ones take it times (σ\u00a0/\u00a0smallest\u00a0σ)²",
    });
    this.#seed = numberField({
      ...{ label: "Seed", value: seed, min: 0, max: Number.MAX_SAFE_INTEGER },
      hint: "One seed, one set of images",
    });
    this.root = element(
      "form",
      {},
      group("What to draw", this.#task.root, this.count.root),
      this.#completion.root,
      group(
        "How",
        ...[this.#method, this.#stepsPerLevel, this.#epsilon, this.#seed, this.#denoise].map(
          ({ root }) => root,
        ),
      ),
    );
    this.root.addEventListener("submit", (event) => event.preventDefault());
    this.#task.input.addEventListener("change", () => this.#agree());
    this.#method.input.addEventListener("change", () => {
      this.#epsilon.value = this.#method.value === "consistent" ? CONSISTENT_EPSILON : epsilon;
      this.#agree();
    });
    this.#agree();
  }

  /** Throws UsageError for what cannot be taken. */
  settings(): Settings {
    return {
      method: this.#method.value,
      count: this.count.value,
      stepsPerLevel: this.#method.value === "consistent" ? 1 : this.#stepsPerLevel.value,
      epsilon: this.#epsilon.value,
      seed: this.#seed.value,
      denoise: this.#denoise.value,
      ...(this.#completes && { given: this.#completion.given() }),
    };
  }

  get #completes(): boolean {
    return this.#task.value === "rest";
  }

  /** Only annealed Langevin dynamics completes, and only it has steps of its own at a level. */
  #agree(): void {
    this.#completion.root.hidden = !this.#completes;
    if (this.#completes && this.#method.value !== "annealed") {
      this.#method.value = "annealed";
      this.#method.input.dispatchEvent(new Event("change"));
    }
    this.#method.input.disabled = this.#completes;
    this.#stepsPerLevel.root.hidden = this.#method.value === "consistent";
  }
}
