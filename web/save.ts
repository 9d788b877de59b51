import { element } from "./dom.ts";

/** Hands a file to the browser to be saved. */
export function save(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser may ask where to first
}

export const saveJson = (name: string, value: unknown): void =>
  save(name, new Blob([`${JSON.stringify(value)}\n`], { type: "application/json" }));

/** A canvas as a PNG, each of its pixels as a square of `zoom` pixels. */
export function savePng(name: string, canvas: HTMLCanvasElement, zoom = 1): void {
  const large = element("canvas", { width: zoom * canvas.width, height: zoom * canvas.height });
  const context = large.getContext("2d")!;
  context.imageSmoothingEnabled = false;
  context.drawImage(canvas, 0, 0, large.width, large.height);
  large.toBlob((blob) => blob && save(name, blob), "image/png");
}

/** Numbers as JSON holds them shortest without loss: nine digits tell every float32 from the next. */
export const exactly = (values: Float32Array): number[] =>
  Array.from(values, (value) => Number(value.toPrecision(9)));
