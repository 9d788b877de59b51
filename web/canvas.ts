import { element } from "./dom.ts";

/** A canvas that a screen reader meets as a picture of what `label` says; keep the label true as the picture changes. */
export function picture(label: string, width: number, height: number, kind = ""): HTMLCanvasElement {
  return element("canvas", { role: "img", "aria-label": label, width, height, class: kind });
}

export function relabel(canvas: HTMLCanvasElement, label: string): void {
  canvas.setAttribute("aria-label", label);
}

/** A colour of the style sheet, such as "--accent", as it is now: light or dark. */
export const colour = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();
