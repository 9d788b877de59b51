/** Where images lie that are laid out in rows, as square as their number allows, a gap around each. */
interface Layout {
  readonly columns: number;
  readonly rows: number;
  readonly width: number;
  readonly height: number;
  /** Left upper corner of image i. */
  readonly corner: (i: number) => readonly [x: number, y: number];
}

const GAP = 1;

/** Of n images of h by w pixels. */
export function layout(n: number, h: number, w: number): Layout {
  const columns = Math.ceil(Math.sqrt(n));
  const rows = Math.ceil(n / columns);
  const [acrossEach, downEach] = [w + GAP, h + GAP];
  return {
    columns,
    rows,
    width: GAP + columns * acrossEach,
    height: GAP + rows * downEach,
    corner: (i) => [GAP + (i % columns) * acrossEach, GAP + Math.floor(i / columns) * downEach],
  };
}

/** Grey levels from 0 to 1 as opaque pixels; what lies outside is clamped. */
export function greyPixels(values: Float32Array, w: number, h: number): ImageData {
  const data = new Uint8ClampedArray(4 * values.length);
  for (const [i, value] of values.entries()) data.set([255 * value, 255 * value, 255 * value, 255], 4 * i);
  return new ImageData(data, w, h);
}

/** Draws grey images [n,1,h,w] into a canvas, a pixel for each of theirs; the style sheet enlarges it. */
export function drawGrid(canvas: HTMLCanvasElement, values: Float32Array, h: number, w: number): void {
  const n = values.length / (h * w);
  const { width, height, corner } = layout(n, h, w);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d")!;
  context.fillStyle = "#40444a";
  context.fillRect(0, 0, width, height);
  for (let i = 0; i < n; i++)
    context.putImageData(greyPixels(values.subarray(i * h * w, (i + 1) * h * w), w, h), ...corner(i));
}
