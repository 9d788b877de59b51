import { element } from "../dom.ts";
import { drawPlane, type PlaneScene } from "./plane.ts";
import type { DrawnPoints } from "./sets.ts";

/** Pixels of the canvas's side: fine on screens of two device pixels for each of CSS. */
const SIDE = 1000;
/** How far a key moves the pointer, in units of the data. */
const KEY_STEP = 0.25;
/** How far apart points are that one stroke draws. */
const SPACING = 0.12;

const arrowKeys: Record<string, readonly [number, number]> = {
  ArrowLeft: [-KEY_STEP, 0],
  ArrowRight: [KEY_STEP, 0],
  ArrowUp: [0, KEY_STEP],
  ArrowDown: [0, -KEY_STEP],
};

/** The plane on a canvas with its legend; by pointer and keys points are drawn on it. */
export class Picture {
  readonly root: HTMLElement;
  readonly #canvas = element("canvas", { width: SIDE, height: SIDE, role: "img", class: "plane" });
  readonly #hint = element("p", { class: "hint", id: "draw-hint" });
  #drawing: { points: DrawnPoints; onDraw: () => void } | undefined;
  #cursor: [x: number, y: number] = [0, 0];
  #last: readonly [x: number, y: number] | undefined;

  constructor() {
    this.#canvas.setAttribute("aria-label", "Nothing is drawn yet.");
    this.root = element(
      "figure",
      {},
      this.#canvas,
      element(
        "ul",
        { class: "legend" },
        ...["points", "learned", "truth", "particles"].map((kind) =>
          element("li", { class: kind }, mark(kind), names[kind]!),
        ),
      ),
      this.#hint,
    );
    this.#listen();
  }

  /** What the picture shows, in words. */
  set words(text: string) {
    this.#canvas.setAttribute("aria-label", text);
  }

  get words(): string {
    return this.#canvas.getAttribute("aria-label")!;
  }

  /** Lets points be drawn, and tells of each; or no more. */
  draws(points: DrawnPoints | undefined, onDraw: () => void): void {
    this.#drawing = points && { points, onDraw };
    this.#canvas.classList.toggle("drawing", points !== undefined);
    this.#canvas.toggleAttribute("tabindex", false);
    if (points) this.#canvas.tabIndex = 0;
    this.#hint.textContent = points
      ? "Draw with mouse or finger. By keyboard: arrow keys move the cross, space puts a point, Delete takes all away."
      : "";
    if (points) this.#canvas.setAttribute("aria-describedby", this.#hint.id);
    else this.#canvas.removeAttribute("aria-describedby");
  }

  show(scene: PlaneScene): void {
    const style = getComputedStyle(this.root);
    const colour = (name: string) => style.getPropertyValue(`--${name}`);
    drawPlane(
      this.#canvas,
      { ...scene, cursor: this.#drawing ? this.#cursor : undefined },
      {
        points: colour("mark-points"),
        learned: colour("mark-learned"),
        truth: colour("mark-truth"),
        particles: colour("mark-particles"),
        frame: colour("ink"),
      },
    );
  }

  #listen(): void {
    const canvas = this.#canvas;
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.#drawing) return;
      canvas.setPointerCapture(event.pointerId);
      this.#last = undefined;
      this.#stroke(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (this.#drawing && event.buttons !== 0) this.#stroke(event);
    });
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  #stroke(event: PointerEvent): void {
    const { points, onDraw } = this.#drawing!;
    const box = this.#canvas.getBoundingClientRect();
    const at = (share: number) => points.reach * (2 * share - 1);
    const [x, y] = [at((event.clientX - box.left) / box.width), -at((event.clientY - box.top) / box.height)];
    if (Math.max(Math.abs(x), Math.abs(y)) > points.reach) return;
    if (this.#last && Math.hypot(x - this.#last[0], y - this.#last[1]) < SPACING) return;
    this.#last = [x, y];
    this.#cursor = [x, y];
    points.add(x, y);
    onDraw();
  }

  #key(event: KeyboardEvent): void {
    if (!this.#drawing) return;
    const { points, onDraw } = this.#drawing;
    const step = arrowKeys[event.key];
    if (step) {
      const bound = (value: number) => Math.max(-points.reach, Math.min(points.reach, value));
      this.#cursor = [bound(this.#cursor[0] + step[0]), bound(this.#cursor[1] + step[1])];
    } else if (event.key === " " || event.key === "Enter") points.add(...this.#cursor);
    else if (event.key === "Delete" || event.key === "Backspace") points.clear();
    else return;
    event.preventDefault();
    onDraw();
  }
}

const names: Record<string, string> = {
  points: "points, blurred by the noise shown",
  learned: "learned score",
  truth: "true score",
  particles: "particles",
};

/** A mark of the picture, small, beside its name. */
function mark(kind: string): SVGSVGElement {
  const shapes: Record<string, string> = {
    points: `<circle cx="6" cy="9" r="1.6"/><circle cx="12" cy="5" r="1.6"/><circle cx="17" cy="9" r="1.6"/>`,
    learned: `<path d="M2 7h18M15 3l5 4l-5 4"/>`,
    truth: `<path d="M2 7h18M15 3l5 4l-5 4" stroke-dasharray="3 3"/>`,
    particles: `<circle cx="11" cy="7" r="4"/>`,
  };
  const holder = element("div");
  holder.innerHTML = `<svg viewBox="0 0 22 14" width="22" height="14" aria-hidden="true">${shapes[kind]}</svg>`;
  return holder.firstElementChild as SVGSVGElement;
}
