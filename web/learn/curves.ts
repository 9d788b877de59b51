import { element } from "../dom.ts";
import { type CurvePoint, curve, thinned } from "./curve.ts";

/** Points of a curve: as many as its pixels can tell apart. */
const MOST = 160;

/** The loss and the divergence by step, as two small plots. */
export class Curves {
  readonly root: HTMLElement;
  readonly #loss = plot();
  readonly #divergence = plot();

  constructor() {
    const figure = (holder: HTMLElement, caption: string) =>
      element("figure", {}, holder, element("figcaption", {}, caption));
    this.root = element(
      "div",
      { class: "pair curves" },
      figure(this.#loss, "Loss, weighted by sigma²"),
      figure(this.#divergence, "Distance from the true score"),
    );
  }

  show(losses: readonly number[], divergences: readonly CurvePoint[]): void {
    this.#loss.innerHTML = framed(curve(thinned(losses, MOST), { title: "Loss" }));
    this.#divergence.innerHTML = framed(
      curve(divergences, { log: true, title: "Relative Fisher divergence" }),
    );
  }
}

const plot = (): HTMLElement => element("div", { class: "curve" });

const framed = (inside: string): string => `<svg viewBox="0 0 320 110" role="img">${inside}</svg>`;
