import { join } from "node:path";
import { UsageError } from "../engine/errors.ts";
import type { ImageSet } from "./dataset.ts";
import { exists, readBytes, refuseFile } from "./files.ts";
import { type Idx, idxImages, type NamedBytes, parseIdx } from "./idx.ts";

/**
 * MNIST, or any set in its format (Fashion-MNIST, KMNIST), out of a folder with the IDX files under their
 * usual names, plain or gzipped. Labels are optional. Throws UsageError naming the file, what it holds and
 * the mend.
 */
export function mnist(folder: string, { part = "train" }: { part?: "train" | "t10k" } = {}): ImageSet {
  refuseFile(folder, "mnist");
  const imagesPath = find(folder, [`${part}-images-idx3-ubyte`, `${part}-images.idx3-ubyte`]);
  if (imagesPath === undefined) {
    throw new UsageError(
      `mnist: got no images in ${folder}, ` +
        `expected ${part}-images-idx3-ubyte or ${part}-images-idx3-ubyte.gz; ` +
        `bring the files there by stein data fetch mnist --to ${folder}, or use the built-in digits`,
    );
  }
  const labelsPath = find(folder, [`${part}-labels-idx1-ubyte`, `${part}-labels.idx1-ubyte`]);
  return idxImages(read(imagesPath), labelsPath === undefined ? undefined : read(labelsPath));
}

/** An IDX file whose magic number is expected. Throws UsageError as parseIdx does. */
export const readIdx = (path: string, expected: number): Idx => parseIdx(read(path), expected);

const read = (path: string): NamedBytes => ({ name: path, bytes: readBytes(path, "mnist") });

function find(folder: string, names: string[]): string | undefined {
  return names.flatMap((name) => [join(folder, name), join(folder, `${name}.gz`)]).find(exists);
}
