import type { Engine } from "../../engine/engine.ts";
import { adapterLine } from "../adapter.ts";
import { picture, relabel } from "../canvas.ts";
import { button } from "../controls.ts";
import { element } from "../dom.ts";
import { exactly, saveJson, savePng } from "../save.ts";
import type { About } from "./checkpoint.ts";
import { type Moment, type Settings, totalSteps, type Watching } from "./drawing.ts";
import { drawGrid } from "./grid.ts";
import { Pace } from "./pace.ts";

/** Milliseconds between two pictures of a chain. */
const LOOK = 40;
/** Side of a saved image's pixel. */
const ZOOM = 8;

/** What was drawn last, to be saved. */
interface Drawn {
  readonly settings: Settings;
  readonly adapter: string;
  readonly done: number;
  readonly total: number;
  readonly values: Float32Array;
}

/** The chain before the eyes, what the network sees in it, and how far it is. */
export class Pictures {
  readonly root: HTMLElement;
  readonly #about: About;
  readonly #chain = picture("The chain: nothing drawn yet", 1, 1, "pixels");
  readonly #seen = picture("What the network sees: nothing yet", 1, 1, "pixels");
  readonly #bar = element("progress", { value: 0, max: 1, "aria-label": "Steps done" });
  readonly #figures = element("p", { class: "figures" }, "Nothing drawn yet.");
  readonly #saves = [
    button("Save picture", () => savePng("stein-samples.png", this.#chain, ZOOM)),
    button("Save values", () => this.#saveValues()),
  ];
  readonly #calm = matchMedia("(prefers-reduced-motion: reduce)");
  #drawn: Drawn | undefined;
  #pace = new Pace();

  /** `buttons` start and stop what is shown. */
  constructor(about: About, ...buttons: HTMLButtonElement[]) {
    this.#about = about;
    this.root = element(
      "div",
      { class: "pictures" },
      element("div", { class: "buttons" }, ...buttons),
      this.#bar,
      this.#figures,
      element(
        "div",
        { class: "pair" },
        element("figure", {}, this.#chain, element("figcaption", {}, "The chain, as it is")),
        element(
          "figure",
          {},
          this.#seen,
          element(
            "figcaption",
            {},
            "What the network sees in it: the mean of the clean images, x + σ² score",
          ),
        ),
      ),
      element("div", { class: "buttons" }, ...this.#saves),
    );
    this.#savable = false;
  }

  /** Empty places for so many images. */
  blank(count: number): void {
    const [c, h, w] = this.#about.image;
    const nothing = new Float32Array(count * c * h * w);
    drawGrid(this.#chain, nothing, h, w);
    drawGrid(this.#seen, nothing, h, w);
  }

  /** Makes ready for a drawing; gives what is to be told of each of its steps. */
  begin(settings: Settings, engine: Engine): Watching["onStep"] {
    const levels = this.#about.sigmas.count;
    const total = totalSteps(settings, levels);
    const adapter = adapterLine(engine);
    this.blank(settings.count);
    this.#drawn = { settings, adapter, done: 0, total, values: new Float32Array(0) };
    this.#savable = false;
    this.#bar.max = total;
    this.#bar.value = 0;
    this.#figures.textContent = "";
    this.#pace = new Pace();
    let looked = Number.NEGATIVE_INFINITY;
    let before = -1;
    return async ({ done, level, sigma }, look) => {
      const due = this.#calm.matches ? level !== before : performance.now() - looked >= LOOK;
      before = level;
      if (due || done === total) {
        this.#show({ ...(await look()), done, total, level, sigma });
        looked = performance.now();
      }
      this.#bar.value = done;
      this.#figures.textContent = this.#pace.words({ done, total, level, sigma }, levels);
    };
  }

  /** Shows the images as they came out; says so. */
  finish(values: Float32Array): string {
    const { settings, total } = this.#drawn!;
    this.#drawn = { ...this.#drawn!, done: total, values };
    this.#draw(values, settings.denoise ? values : undefined);
    relabel(this.#chain, `${settings.count} images, finished after ${total} steps`);
    this.#savable = true;
    return `Done: ${settings.count} ${settings.count === 1 ? "image" : "images"} in ${this.#pace.took}.`;
  }

  /** Says how far it came; what there is stays. */
  stopped(): string {
    const { done, total, values } = this.#drawn!;
    this.#savable = values.length > 0;
    return `Stopped after step ${done} of ${total}.`;
  }

  #show({ x, seen, done, total, sigma }: Moment): void {
    this.#drawn = { ...this.#drawn!, done, values: x };
    this.#draw(x, seen);
    const where = `after step ${done} of ${total}, sigma ${sigma.toPrecision(2)}`;
    relabel(this.#chain, `The chain's ${this.#drawn.settings.count} images ${where}`);
    relabel(this.#seen, `What the network sees in them ${where}`);
  }

  #draw(x: Float32Array, seen: Float32Array | undefined): void {
    const [, h, w] = this.#about.image;
    drawGrid(this.#chain, x, h, w);
    if (seen) drawGrid(this.#seen, seen, h, w);
  }

  /** The values as they are, not clamped to what can be shown, with all that it takes to draw them again. */
  #saveValues(): void {
    const { settings, adapter, done, total, values } = this.#drawn!;
    const { given, ...rest } = settings;
    const { name, sha256, image } = this.#about;
    saveJson("stein-samples.json", {
      network: { name, sha256 },
      adapter,
      settings: rest,
      ...(given && { given: { pixels: exactly(given.pixels), known: [...given.known] } }),
      done,
      total,
      shape: [settings.count, ...image],
      values: exactly(values),
    });
  }

  set #savable(yes: boolean) {
    for (const save of this.#saves) save.disabled = !yes;
  }
}
