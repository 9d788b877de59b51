import { existsSync } from "node:fs";
import { UsageError } from "../../engine/errors.ts";
import { readSafetensors, writeSafetensors } from "../../engine/safetensors.ts";
import { writeFileAtomic } from "../pictures/write.ts";
import { readWhole } from "../whole-file.ts";
import type { Point } from "./method.ts";

// What a drawing that was stopped has left is one safetensors file: the finished images, those of the batch at hand, the
// frames so far, and in the metadata how far it is, what was asked for, and all that the images depend on.

const FORMAT = "stein-sampling-1";

type Images = Float32Array<ArrayBuffer>;

/** How far a drawing has come. */
export interface Drawing {
  /** Values of the finished images, [finished,c,h,w], as the sampler gave them. */
  readonly samples: Images;
  readonly finished: number;
  /** The batch at hand, if one was begun. */
  readonly batch?: { readonly x: Images; readonly point: Point } | undefined;
  /** Frames of the first batch, and the same denoised: [n,c,h,w] in [0, 1] each. */
  readonly frames: readonly Images[];
  readonly denoised: readonly Images[];
  /** Evaluations of the score for each image, of the batch with most. */
  readonly nfe: number;
}

/** All that images depend on, by name: two drawings with the same give the same images. */
export type Identity = Readonly<Record<string, unknown>>;

export interface SavedDrawing<Options> {
  readonly drawing: Drawing;
  readonly identity: Identity;
  /** As they were given. */
  readonly options: Options;
}

/** Writes the file, whole or not at all. image: [c,h,w]. */
export function saveDrawing(
  path: string,
  { drawing, identity, options }: SavedDrawing<object>,
  image: readonly number[],
): void {
  const { samples, finished, batch, frames, denoised, nfe } = drawing;
  const size = image.reduce((a, b) => a * b, 1);
  const entries = new Map<string, { shape: readonly number[]; data: Images }>();
  const put = (name: string, data: Images) =>
    entries.set(name, { shape: [data.length / size, ...image], data });
  if (finished > 0) put("samples", samples.subarray(0, finished * size) as Images);
  if (batch) put("x", batch.x);
  for (const [i, frame] of frames.entries()) put(`frame.${i}`, frame);
  for (const [i, frame] of denoised.entries()) put(`denoised.${i}`, frame);
  const place = { finished, nfe, point: batch?.point };
  const metadata = { format: FORMAT, ...mapValues({ place, identity, options }, (v) => JSON.stringify(v)) };
  writeFileAtomic(path, writeSafetensors(entries, metadata));
}

/** What `saveDrawing` left, if anything. Throws UsageError for a file that is not of this kind. */
export function openDrawing<Options>(path: string): SavedDrawing<Options> | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const { tensors, metadata } = readSafetensors(readWhole(path));
    if (metadata.format !== FORMAT)
      throw new Error(`format ${metadata.format ?? "absent"}, expected ${FORMAT}`);
    const [place, identity, options] = ["place", "identity", "options"].map(
      (name) => JSON.parse(metadata[name] ?? "") as unknown,
    ) as [{ finished: number; nfe: number; point?: Point }, Identity, Options];
    if (!Number.isSafeInteger(place?.finished) || !identity || !options)
      throw new Error("its metadata is damaged");
    const data = (name: string) => tensors.get(name)?.data as Images | undefined;
    const listed = (name: string) =>
      [...tensors.keys()].filter((key) => key.startsWith(`${name}.`)).map((_, i) => data(`${name}.${i}`)!);
    const x = data("x");
    const drawing: Drawing = {
      samples: data("samples") ?? new Float32Array(0),
      finished: place.finished,
      batch: x && place.point && { x, point: place.point },
      frames: listed("frame"),
      denoised: listed("denoised"),
      nfe: place.nfe,
    };
    return { drawing, identity, options };
  } catch (cause) {
    throw new UsageError(
      `sample: ${path} cannot be gone on from: ${(cause as Error).message}; remove it to begin anew`,
      { cause },
    );
  }
}

/** Throws UsageError, naming what differs, unless the images of both are the same. */
export function requireSameDrawing(path: string, before: Identity, now: Identity): void {
  for (const key of Object.keys({ ...before, ...now })) {
    const [was, given] = [before[key], now[key]].map((v) => JSON.stringify(v) ?? "nothing");
    if (was === given) continue;
    throw new UsageError(
      key === "weights"
        ? `sample: the network has changed since ${path} was begun; remove that file to begin anew`
        : `sample: got ${key} ${given}, but ${path} was begun with ${was}; set it back, or remove that file to begin anew`,
    );
  }
}

const mapValues = <T, U>(record: Readonly<Record<string, T>>, f: (value: T) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value)]));
