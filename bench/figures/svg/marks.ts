import { encode } from "fast-png";
import { UsageError } from "../../../engine/errors.ts";
import { shade } from "./colours.ts";
import { pixel } from "./text.ts";

/** From the data's units to pixels. */
export interface View {
  x(value: number): number;
  y(value: number): number;
}

/** Something drawn into a panel. */
export type Mark = (view: View) => string;

/** Points [n, 2] as dots. */
export const dots =
  (points: ArrayLike<number>, colour: string, { size = 1.8 } = {}): Mark =>
  ({ x, y }) => {
    let path = "";
    for (let i = 0; i < points.length; i += 2)
      path += `M${pixel(x(points[i]!))} ${pixel(y(points[i + 1]!))}h0`; // of no length: its round ends are a dot
    return `<path d="${path}" stroke="${colour}" stroke-width="${size}" stroke-linecap="round" stroke-opacity="0.7"/>`;
  };

interface ArrowOptions {
  /** Pixels of an arrow as long as `longest`. */
  pixels: number;
  /** What is drawn at full length; what is longer too, so that far-off values do not cover their neighbours. */
  longest: number;
}

/** Vectors [n, 2] at points [n, 2] as arrows from there. Throws UsageError unless there are as many of both. */
export function arrows(
  points: ArrayLike<number>,
  vectors: ArrayLike<number>,
  colour: string,
  { pixels, longest }: ArrowOptions,
): Mark {
  if (points.length !== vectors.length)
    throw new UsageError(
      `arrows: got ${points.length} coordinates and ${vectors.length} of vectors, expected as many of each`,
    );
  return ({ x, y }) => {
    let path = "";
    for (let i = 0; i < points.length; i += 2) {
      const size = Math.hypot(vectors[i]!, vectors[i + 1]!);
      if (size === 0 || !Number.isFinite(size)) continue;
      const length = pixels * Math.min(1, size / longest);
      const [u, v] = [(length * vectors[i]!) / size, (-length * vectors[i + 1]!) / size]; // pixels grow downwards
      const barb = (turn: number) =>
        `${pixel(-0.35 * (u * COSINE - turn * v * SINE))} ${pixel(-0.35 * (v * COSINE + turn * u * SINE))}`;
      const tip = `${pixel(u)} ${pixel(v)}`;
      const start = `M${pixel(x(points[i]!))} ${pixel(y(points[i + 1]!))}`;
      path += length < 3 ? `${start}l${tip}` : `${start}l${tip}l${barb(1)}m${back(barb(1))}l${barb(-1)}`;
    }
    return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.1" stroke-linecap="round"/>`;
  };
}

const [COSINE, SINE] = [Math.cos(0.5), Math.sin(0.5)]; // half of what an arrow's head opens

/** The way back along a step. */
const back = (step: string): string =>
  step
    .split(" ")
    .map((part) => String(-Number(part)))
    .join(" ");

/** A line through points; values that are not finite leave gaps. Throws UsageError for as many x as y only. */
export function line(
  xs: ArrayLike<number>,
  ys: ArrayLike<number>,
  colour: string,
  { width = 1.6, dashed = false } = {},
): Mark {
  if (xs.length !== ys.length)
    throw new UsageError(`line: got ${xs.length} x and ${ys.length} y, expected as many of each`);
  return ({ x, y }) => {
    let path = "";
    let open = false;
    for (let i = 0; i < xs.length; i++) {
      const visible = Number.isFinite(xs[i]!) && Number.isFinite(ys[i]!);
      if (visible) path += `${open ? "L" : "M"}${pixel(x(xs[i]!))} ${pixel(y(ys[i]!))}`;
      open = visible;
    }
    const dashes = dashed ? ` stroke-dasharray="6 4"` : "";
    return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="${width}" stroke-linejoin="round"${dashes}/>`;
  };
}

/**
 * Values on a grid of side by side cells over a square range as colours from light, 0, to dark, `most` and above; row by
 * row, the lowest y first. Embedded as a small PNG. Throws UsageError unless there are side * side values.
 */
export function heat(
  values: ArrayLike<number>,
  { side, low, high, most }: { side: number; low: number; high: number; most: number },
): Mark {
  if (values.length !== side * side)
    throw new UsageError(`heat: got ${values.length} values, expected ${side * side} for ${side} x ${side}`);
  const data = new Uint8Array(3 * side * side);
  for (let row = 0; row < side; row++)
    for (let column = 0; column < side; column++)
      data.set(shade(values[row * side + column]! / most), 3 * ((side - 1 - row) * side + column));
  const png = Buffer.from(encode({ width: side, height: side, channels: 3, depth: 8, data })).toString(
    "base64",
  );
  return ({ x, y }) =>
    `<image x="${pixel(x(low))}" y="${pixel(y(high))}" width="${pixel(x(high) - x(low))}" ` +
    `height="${pixel(y(low) - y(high))}" preserveAspectRatio="none" href="data:image/png;base64,${png}"/>`;
}
