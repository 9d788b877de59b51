import { join } from "node:path";
import type { Command } from "commander";
import { UsageError } from "../../engine/errors.ts";
import { grid } from "../pictures/png.ts";
import { writeFileAtomic } from "../pictures/write.ts";
import type { Size } from "../sampler.ts";
import { clamped, type Pixels } from "./pixels.ts";

/** Which weights, and what is written where. */
export interface OutputOptions {
  raw?: boolean;
  npz?: boolean;
  json?: boolean;
  out?: string;
}

/** Adds the options of every command that writes pictures; `arrays` is what `--npz` writes. */
export const withOutput = (command: Command, arrays: string): Command =>
  command
    .option("--raw", "the newest weights instead of their running average")
    .option("--npz", `also write ${arrays}, for NumPy`)
    .option("--json", "as JSON")
    .option("-o, --out <folder>", "where to write; the run's folder unless given");

/** Of the images of a row: [rows * columns,c,h,w] in grey levels. */
interface Part {
  readonly pixels: Pixels;
  /** How many of them stand in each row. */
  readonly columns: number;
}

/** Screen pixels for each pixel of an image. */
const scaleOf = ({ h }: Size): number => Math.max(1, Math.round(84 / h));

/** Bytes of a picture before it is packed. */
const PICTURE = 2 ** 30;

/** Throws UsageError, before the work, for rows of more images than one picture takes; `mend` ends its message. */
export function requirePicture(who: string, rows: number, columns: number, size: Size, mend: string): void {
  const side = (pixels: number) => pixels * scaleOf(size) + 2;
  const most = Math.floor(PICTURE / (size.c * side(size.h) * side(size.w)));
  if (rows * columns > most)
    throw new UsageError(
      `${who}: got ${counted(rows, "row")} of ${columns} images, expected at most ${most} images in a picture; ${mend}`,
    );
}

/** Parts side by side in each row, as a PNG file. */
export function pictureOf(rows: number, parts: readonly Part[], image: Size): Uint8Array {
  const { c, h, w } = image;
  const size = c * h * w;
  const columns = parts.reduce((sum, part) => sum + part.columns, 0);
  const all = new Float32Array(rows * columns * size);
  let at = 0;
  for (let row = 0; row < rows; row++)
    for (const { pixels, columns: own } of parts) {
      all.set(pixels.subarray(row * own * size, (row + 1) * own * size), at);
      at += own * size;
    }
  return grid(clamped(all), { n: rows * columns, c, h, w, columns, scale: scaleOf(image) });
}

/** Writes results into a folder and says which, in words or as JSON. */
export class Output {
  readonly #folder: string;
  readonly #written: string[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  write(name: string, bytes: Uint8Array): void {
    const path = join(this.#folder, name);
    writeFileAtomic(path, bytes);
    this.#written.push(path);
  }

  /** The facts as JSON on stdout, or the lines; the files that were written with either. */
  tell(json: boolean | undefined, facts: Readonly<Record<string, unknown>>, lines: readonly string[]): void {
    if (json) console.log(JSON.stringify({ ...facts, files: this.#written }, null, 2));
    else {
      for (const line of lines) console.log(line);
      if (this.#written.length > 0) console.log(`wrote ${this.#written.join(" and ")}`);
    }
  }
}

/** "1 image", "2,000 images". */
export const counted = (n: number, noun: string): string =>
  `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;

/** Throws UsageError for values that are not finite; `mend` ends it. */
export function requireFinite(who: string, values: Pixels, mend: string): void {
  if (!values.every(Number.isFinite)) throw new UsageError(`${who}: the images are not finite; ${mend}`);
}
