import { UsageError } from "../engine/errors.ts";
import { byteImages } from "./bytes.ts";
import type { ImageSet } from "./dataset.ts";
import { unpacked } from "./gzip.ts";

export const IMAGES = 0x803; // unsigned bytes, three axes
export const LABELS = 0x801; // unsigned bytes, one axis

/** An IDX file: the lengths of its axes and its bytes, the first axis outermost. */
export interface Idx {
  lengths: number[];
  values: Uint8Array;
}

/** A file's bytes and what errors call it. */
export interface NamedBytes {
  name: string;
  bytes: Uint8Array;
}

/** The images of one IDX file with the labels of another. Throws UsageError naming the file, what it holds and the mend. */
export function idxImages(images: NamedBytes, labels?: NamedBytes): ImageSet {
  const { lengths, values } = parseIdx(images, IMAGES);
  const [count, height, width] = lengths as [number, number, number];
  const set = byteImages({ name: "mnist", count, channels: 1, height, width }, (i) => ({
    bytes: values,
    start: i * height * width,
  }));
  if (labels === undefined) return set;
  const classes = parseIdx(labels, LABELS).values;
  if (classes.length !== count) {
    throw new UsageError(
      `mnist: got ${classes.length} labels in ${labels.name}, ` +
        `expected ${count}, one for each image of ${images.name}; ` +
        `download both from the same source`,
    );
  }
  return { ...set, label: (i) => classes[i]! };
}

/**
 * An IDX file, plain or gzipped, whose magic number is expected. Throws UsageError on another format, a wrong length, an
 * empty set.
 */
export function parseIdx({ name, bytes: given }: NamedBytes, expected: number): Idx {
  const bytes = unpacked(given, name, "mnist");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const rank = expected & 0xff;
  const header = 4 + 4 * rank;
  const magic = bytes.length < 4 ? undefined : view.getUint32(0);

  if (magic !== expected || bytes.length < header) {
    const got = magic === undefined ? `${bytes.length} bytes` : `magic ${hex(magic)}, ${bytes.length} bytes`;
    throw new UsageError(
      `mnist: got ${name} with ${got}, expected an IDX file with magic ${hex(expected)}; ` +
        `${misfit(magic, expected)}, download it again`,
    );
  }

  const lengths = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const needed = header + lengths.reduce((product, length) => product * length, 1);
  if (needed === header) {
    throw new UsageError(
      `mnist: got ${name} of [${lengths.join(", ")}], expected at least one image; download it again`,
    );
  }
  if (bytes.length !== needed) {
    throw new UsageError(
      `mnist: got ${name} with ${bytes.length} bytes, expected ${needed} for [${lengths.join(", ")}]; ` +
        `the file is ${bytes.length < needed ? "cut short" : "too long"}, download it again`,
    );
  }
  return { lengths, values: bytes.subarray(header) };
}

function misfit(magic: number | undefined, expected: number): string {
  if (magic === undefined || magic === expected) return "the file is cut short";
  if (magic === IMAGES) return "this is a file of images";
  if (magic === LABELS) return "this is a file of labels";
  return "the file is of another format";
}

const hex = (word: number) => `0x${word.toString(16).padStart(8, "0")}`;
