import { join } from "node:path";
import { UsageError } from "../engine/errors.ts";
import { byteImages } from "./bytes.ts";
import type { ImageSet } from "./dataset.ts";
import { exists, readUnpacked } from "./files.ts";

export const IMAGES = 0x803; // unsigned bytes, three axes
export const LABELS = 0x801; // unsigned bytes, one axis

/** An IDX file: the lengths of its axes and its bytes, the first axis outermost. */
export interface Idx {
  lengths: number[];
  values: Uint8Array;
}

/**
 * MNIST, or any set in its format (Fashion-MNIST, KMNIST), out of a folder with the IDX files under their
 * usual names, plain or gzipped. Labels are optional. Throws UsageError naming the file, what it holds and
 * the mend.
 */
export function mnist(folder: string, { part = "train" }: { part?: "train" | "t10k" } = {}): ImageSet {
  const imagesPath = find(folder, [`${part}-images-idx3-ubyte`, `${part}-images.idx3-ubyte`]);
  if (imagesPath === undefined) {
    throw new UsageError(
      `mnist: got no images in ${folder}, ` +
        `expected ${part}-images-idx3-ubyte or ${part}-images-idx3-ubyte.gz; ` +
        `download the file there, or use the built-in digits`,
    );
  }
  const images = readIdx(imagesPath, IMAGES);
  const [count, height, width] = images.lengths as [number, number, number];
  const set = byteImages({ name: "mnist", count, channels: 1, height, width }, (i) => ({
    bytes: images.values,
    start: i * height * width,
  }));

  const labelsPath = find(folder, [`${part}-labels-idx1-ubyte`, `${part}-labels.idx1-ubyte`]);
  if (labelsPath === undefined) return set;
  const labels = readIdx(labelsPath, LABELS).values;
  if (labels.length !== count) {
    throw new UsageError(
      `mnist: got ${labels.length} labels in ${labelsPath}, ` +
        `expected ${count}, one for each image of ${imagesPath}; ` +
        `download both from the same source`,
    );
  }
  return { ...set, label: (i) => labels[i] };
}

/**
 * Reads an IDX file whose magic number is expected. Throws UsageError on another format, a wrong length, an
 * empty set.
 */
export function readIdx(path: string, expected: number): Idx {
  const bytes = readUnpacked(path, "mnist");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const rank = expected & 0xff;
  const header = 4 + 4 * rank;
  const magic = bytes.length < 4 ? undefined : view.getUint32(0);

  if (magic !== expected || bytes.length < header) {
    const got = magic === undefined ? `${bytes.length} bytes` : `magic ${hex(magic)}, ${bytes.length} bytes`;
    throw new UsageError(
      `mnist: got ${path} with ${got}, expected an IDX file with magic ${hex(expected)}; ` +
        `${misfit(magic, expected)}, download it again`,
    );
  }

  const lengths = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const needed = header + lengths.reduce((product, length) => product * length, 1);
  if (needed === header) {
    throw new UsageError(
      `mnist: got ${path} of [${lengths.join(", ")}], expected at least one image; download it again`,
    );
  }
  if (bytes.length !== needed) {
    throw new UsageError(
      `mnist: got ${path} with ${bytes.length} bytes, expected ${needed} for [${lengths.join(", ")}]; ` +
        `the file is ${bytes.length < needed ? "cut short" : "too long"}, download it again`,
    );
  }
  return { lengths, values: bytes.subarray(header) };
}

function find(folder: string, names: string[]): string | undefined {
  return names.flatMap((name) => [join(folder, name), join(folder, `${name}.gz`)]).find(exists);
}

function misfit(magic: number | undefined, expected: number): string {
  if (magic === undefined || magic === expected) return "the file is cut short";
  if (magic === IMAGES) return "this is a file of images";
  if (magic === LABELS) return "this is a file of labels";
  return "the file is of another format";
}

const hex = (word: number) => `0x${word.toString(16).padStart(8, "0")}`;
