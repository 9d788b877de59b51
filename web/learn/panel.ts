import { type MatchingName, matchingNames } from "../../train/index.ts";
import { checkField, choiceField, type Field, group, numberField } from "../controls.ts";
import { DrawnPoints, type PointSet, pointSets } from "./sets.ts";
import { defaults, type LearnSettings } from "./settings.ts";

const lossTitles: Record<MatchingName, string> = {
  dsm: "Denoising",
  ssm: "Sliced",
  "ssm-vr": "Sliced, less variance",
  hyvarinen: "Explicit",
};

const setTitles = {
  ...(Object.fromEntries(Object.entries(pointSets).map(([name, { title }]) => [name, title])) as Record<
    keyof typeof pointSets,
    string
  >),
  own: "Your own points",
};

/** What is learned and how: the controls, and what they say. */
export class Panel {
  readonly root: HTMLElement;
  /** Those of the picture. */
  readonly showTruth: Field<boolean>;
  readonly showParticles: Field<boolean>;
  readonly hold: Field<boolean>;
  readonly own = new DrawnPoints();
  readonly #set = choiceField({ label: "Points", value: "eight_gaussians", choices: setTitles });
  readonly #loss = choiceField({
    label: "Loss",
    value: defaults.loss,
    choices: Object.fromEntries(matchingNames.map((name) => [name, lossTitles[name]])) as Record<
      MatchingName,
      string
    >,
  });
  readonly #noise = choiceField<"one" | "ladder">({
    label: "Noise",
    value: "one",
    choices: { one: "One scale", ladder: "A ladder" },
  });
  readonly #sigma = numberField({ label: "Sigma", value: 0.4, min: 0.05, max: 20, step: "any" });
  readonly #begin = numberField({ label: "Largest sigma", value: 4, min: 0.05, max: 20, step: "any" });
  readonly #end = numberField({ label: "Smallest sigma", value: 0.3, min: 0.05, max: 20, step: "any" });
  readonly #count = numberField({ label: "Scales", value: 8, min: 2, max: 64 });
  readonly #lr = numberField({ label: "Learning rate", value: defaults.lr, min: 1e-6, max: 1, step: "any" });
  readonly #seed = numberField({ label: "Seed", value: defaults.seed, min: 0, max: Number.MAX_SAFE_INTEGER });

  /** `onSettings` is told when what is learned, or how, has changed; `onLook` when only the picture has. */
  constructor({ onSettings, onLook }: { onSettings: () => void; onLook: () => void }) {
    this.showTruth = checkField({ label: "True score", value: false });
    this.showParticles = checkField({ label: "Moving particles", value: true });
    this.hold = checkField({
      label: "Hold the network",
      value: false,
      hint: "Particles go on moving, on the score as it stands.",
    });
    const learned = [
      this.#set,
      this.#loss,
      this.#noise,
      this.#sigma,
      this.#begin,
      this.#end,
      this.#count,
      this.#lr,
      this.#seed,
    ];
    for (const { input } of learned)
      input.addEventListener("change", () => {
        this.#arrange();
        onSettings();
      });
    for (const { input } of [this.showTruth, this.showParticles, this.hold])
      input.addEventListener("change", onLook);
    this.root = document.createElement("div");
    this.root.append(
      wide(group("What is learned", this.#set.root, this.#loss.root, this.#noise.root)),
      group(
        "How",
        ...[this.#sigma, this.#begin, this.#end, this.#count, this.#lr, this.#seed].map((f) => f.root),
      ),
      group("The picture", this.showTruth.root, this.showParticles.root, this.hold.root),
    );
    this.#arrange();
  }

  get set(): PointSet {
    const name = this.#set.value as keyof typeof setTitles;
    return name === "own" ? this.own : pointSets[name];
  }

  /** Throws UsageError for what was typed and cannot be taken. */
  get settings(): LearnSettings {
    return {
      ...defaults,
      loss: this.#loss.value,
      noise:
        this.#noise.value === "one"
          ? { kind: "one", sigma: this.#sigma.value }
          : { kind: "ladder", begin: this.#begin.value, end: this.#end.value, count: this.#count.value },
      lr: this.#lr.value,
      seed: this.#seed.value,
    };
  }

  /** Shows the fields of the noise that is chosen. */
  #arrange(): void {
    const ladder = this.#noise.value === "ladder";
    this.#sigma.root.hidden = ladder;
    for (const { root } of [this.#begin, this.#end, this.#count]) root.hidden = !ladder;
  }
}

/** A group whose choices have long names. */
function wide(made: HTMLFieldSetElement): HTMLFieldSetElement {
  made.classList.add("wide");
  return made;
}
