import { colour } from "../canvas.ts";
import { element, freshId } from "../dom.ts";
import { greyPixels } from "./grid.ts";
import type { Mask } from "./mask.ts";

/** Canvas pixels for one of the image's. */
const ZOOM = 10;

const arrows: Readonly<Record<string, readonly [dx: number, dy: number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

interface Brush {
  /** Pixels across. */
  readonly size: number;
  /** Whether it hides, or shows again. */
  readonly hides: boolean;
}

/** A picture that is painted on, to hide parts of it: by mouse, pen or finger, or by arrow keys and space. */
export class MaskEditor {
  readonly root: HTMLElement;
  readonly #canvas: HTMLCanvasElement;
  readonly #words = element("span", { "aria-live": "polite" });
  readonly #mask: Mask;
  readonly #brush: () => Brush;
  #pixels: Float32Array;
  #name = "";
  #last: readonly [number, number] | undefined;

  constructor(mask: Mask, brush: () => Brush) {
    this.#mask = mask;
    this.#brush = brush;
    this.#pixels = new Float32Array(mask.hidden.length);
    const help = element(
      "p",
      { class: "hint", id: freshId("help") },
      "Paint over what the network is to draw. With the keyboard: arrow keys move the cursor, space paints.",
    );
    this.#canvas = element("canvas", {
      role: "application",
      "aria-roledescription": "picture to paint on",
      "aria-describedby": help.id,
      tabindex: 0,
      width: ZOOM * mask.width,
      height: ZOOM * mask.height,
      class: "editor",
    });
    this.root = element("figure", {}, this.#canvas, help, element("figcaption", {}, this.#words));
    this.#canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    this.#canvas.addEventListener("pointermove", (event) => this.#go(event));
    for (const end of ["pointerup", "pointercancel"] as const)
      this.#canvas.addEventListener(end, () => this.#end());
    this.#canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Shows another picture [1,h,w] under the mask; `name` stands for it in words. */
  show(name: string, pixels: Float32Array): void {
    this.#name = name;
    this.#pixels = pixels;
    this.redraw();
  }

  redraw(): void {
    const { width, height, hidden, cursor } = this.#mask;
    const context = this.#canvas.getContext("2d")!;
    const small = element("canvas", { width, height });
    small.getContext("2d")!.putImageData(greyPixels(this.#pixels, width, height), 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, ZOOM * width, ZOOM * height);
    for (const [i, gone] of hidden.entries())
      if (gone) hatch(context, ZOOM * (i % width), ZOOM * Math.floor(i / width));
    context.strokeStyle = colour("--cursor");
    context.lineWidth = 2;
    context.strokeRect(ZOOM * cursor.x + 1, ZOOM * cursor.y + 1, ZOOM - 2, ZOOM - 2);
    const words = this.#mask.describe();
    this.#canvas.setAttribute("aria-label", `${this.#name}; ${words}`);
    if (!this.#last) this.#words.textContent = words; // read out: not at every move of a hand
  }

  #begin(event: PointerEvent): void {
    this.#canvas.setPointerCapture(event.pointerId);
    this.#last = this.#place(event);
    this.#to(this.#last);
  }

  #go(event: PointerEvent): void {
    if (this.#last) this.#to(this.#place(event));
  }

  #end(): void {
    this.#last = undefined;
    this.redraw();
  }

  #to(place: readonly [number, number]): void {
    const { size, hides } = this.#brush();
    this.#mask.stroke(this.#last!, place, size, hides);
    this.#mask.cursor = { x: place[0], y: place[1] };
    this.#last = place;
    this.redraw();
  }

  #place({ clientX, clientY }: PointerEvent): readonly [number, number] {
    const box = this.#canvas.getBoundingClientRect();
    const at = (offset: number, length: number, pixels: number) =>
      Math.max(0, Math.min(pixels - 1, Math.floor((offset / length) * pixels)));
    return [
      at(clientX - box.left, box.width, this.#mask.width),
      at(clientY - box.top, box.height, this.#mask.height),
    ];
  }

  #key(event: KeyboardEvent): void {
    const arrow = arrows[event.key];
    if (arrow) this.#mask.move(...arrow);
    else if (event.key === " ") {
      const { size, hides } = this.#brush();
      this.#mask.paint(this.#mask.cursor.x, this.#mask.cursor.y, size, hides);
    } else return;
    event.preventDefault(); // neither scrolls the page
    this.redraw();
  }
}

/** A square that is hidden: stripes, which no digit has, so that it is not told by colour alone. */
function hatch(context: CanvasRenderingContext2D, x: number, y: number): void {
  context.fillStyle = "#27566b";
  context.fillRect(x, y, ZOOM, ZOOM);
  context.strokeStyle = "#8ec7df";
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x, y + ZOOM);
  context.lineTo(x + ZOOM, y);
  context.stroke();
}
