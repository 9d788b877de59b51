import { element } from "../dom.ts";

const titles = {
  steps: "Steps",
  rate: "Speed",
  loss: "Loss",
  divergence: "Distance",
  particles: "Particles at",
};
type FigureName = keyof typeof titles;

/** The numbers of a training, each under its name. */
export class Figures {
  readonly root: HTMLElement;
  readonly #values = new Map<string, HTMLElement>();

  constructor() {
    const entries = Object.entries(titles).map(([name, title]) => {
      const value = element("dd", { id: `learn-${name}` }, "–");
      this.#values.set(name, value);
      return element("div", {}, element("dt", {}, title), value);
    });
    this.root = element(
      "div",
      {},
      element("dl", { class: "numbers" }, ...entries),
      element(
        "p",
        { class: "hint" },
        "The distance from the true score is the Fisher divergence E|s − ∇log p|² over E|∇log p|², at points that the network never saw: " +
          "0 for the true score, 1 for none at all.",
      ),
    );
  }

  show(texts: Record<FigureName, string>): void {
    for (const [name, text] of Object.entries(texts)) this.#values.get(name)!.textContent = text;
  }
}
