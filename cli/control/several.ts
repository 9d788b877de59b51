import type { Command } from "commander";
import { wholeFrom } from "../options.ts";
import { npz } from "../pictures/npz.ts";
import type { Request } from "./completion.ts";
import { type ImageOptions, withImages } from "./images.ts";
import { counted, type Output, type OutputOptions, pictureOf, requirePicture, withOutput } from "./output.ts";
import { clamped, type Pixels, repeated, rms, spread } from "./pixels.ts";
import { type ReplacementOptions, withReplacement } from "./replacement.ts";

/** Of commands that draw several samples for each of some images of which something is known. */
export interface SeveralOptions extends ImageOptions, ReplacementOptions, OutputOptions {
  n: number;
}

/** What a command calls its results. */
interface Names {
  /** A sample, in the singular. */
  readonly sample: string;
  /** What stands beside the image, as the help has it. */
  readonly beside: string;
  /** Of the files, without an ending. */
  readonly file: string;
}

/** Adds the options. */
export const withSeveral = (command: Command, { sample, beside, file }: Names, stepsHelp?: string): Command =>
  withOutput(
    withReplacement(withImages(command), stepsHelp).option(
      "--n <count>",
      `${sample}s of each image`,
      wholeFrom(1, "--n"),
      4,
    ),
    `${file}.npz`,
  ).addHelpText(
    "after",
    `\nWrites ${file}.png, a row for each image: the image, ${beside}, its ${sample}s.` +
      "\nWhat is not given is as the run's configuration says; docs/control.md tells how far to trust it.",
  );

/** Throws UsageError, before the work, for more samples than `showSeveral` can show. */
export const requireShown = (who: string, { given: { count }, n, size }: Request): void =>
  requirePicture(who, count, n + 2, size, "lower --n");

interface Drawn {
  /** What is known of the images as pictures, [count,c,h,w]. */
  readonly known: Pixels;
  /** [count * n,c,h,w] */
  readonly samples: Pixels;
}

/** How far samples are, as pictures show them, from their images and from each other, root mean square. */
interface Distances {
  readonly difference: number;
  readonly spread: number;
}

/** Writes the picture; measures over all elements or those that `counts` says. */
export function showSeveral(
  output: Output,
  { file }: Names,
  { given: { count, pixels }, n, size }: Request,
  { known, samples }: Drawn,
  counts?: (i: number) => boolean,
): Distances {
  const parts = [
    { pixels, columns: 1 },
    { pixels: known, columns: 1 },
    { pixels: samples, columns: n },
  ];
  output.write(`${file}.png`, pictureOf(count, parts, size));
  const shown = clamped(samples);
  return {
    difference: rms(shown, repeated(pixels, count, n), counts),
    spread: spread(shown, { count, n }, counts),
  };
}

/** Writes the images, what is known of them under names of its own, and the samples as arrays. */
export function keepSeveral(
  output: Output,
  { file, sample }: Names,
  { given: { count, pixels }, n, size: { c, h, w } }: Request,
  samples: Pixels,
  known: Parameters<typeof npz>[0],
): void {
  const images = { data: pixels, shape: [count, c, h, w] };
  const drawn = { data: samples, shape: [count, n, c, h, w] };
  output.write(`${file}.npz`, npz({ images, ...known, [`${sample}s`]: drawn }));
}

/** "4 completions of 8 images (digits, 0 to 7)" */
export const severalOf = ({ sample }: Names, { given, n }: Request): string =>
  `${counted(n, sample)} of ${counted(given.count, "image")} (${given.source})`;

/** How far the samples of one image are from each other, at the end of a line; nothing of one sample. */
export const amongThem = ({ sample }: Names, { n }: Request, { spread }: Distances): string =>
  n > 1 ? `; ${spread.toFixed(4)} among the ${sample}s of one` : "";
