import { join } from "node:path";
import { UsageError } from "../engine/errors.ts";
import { parseRecords, recordImages, SOURCE } from "./cifar10-records.ts";
import type { ImageSet } from "./dataset.ts";
import { exists, readBytes, refuseFile } from "./files.ts";

/** The files of training images. */
export const BATCHES: readonly string[] = [1, 2, 3, 4, 5].map((n) => `data_batch_${n}.bin`);

/** Where the files of CIFAR-10's binary version lie: in a folder, or in the one that its archive has within it. */
export function cifar10Home(folder: string): string {
  const inner = join(folder, "cifar-10-batches-bin");
  return exists(join(folder, BATCHES[0]!)) || !exists(inner) ? folder : inner;
}

/**
 * CIFAR-10, 3 x 32 x 32, out of a folder with the binary version's data_batch_1.bin to data_batch_5.bin, or
 * the folder above it. Throws UsageError naming the file, what it holds and the mend.
 */
export function cifar10(folder: string): ImageSet {
  const home = cifar10Home(folder);
  refuseFile(home, "cifar10");
  const missing = BATCHES.filter((name) => !exists(join(home, name)));
  if (missing.length > 0) {
    const mend = exists(join(home, "data_batch_1"))
      ? `the folder holds the Python version, unpack ${SOURCE} instead`
      : `bring them there by stein data fetch cifar10 --to ${home}, or unpack ${SOURCE}`;
    throw new UsageError(
      `cifar10: got no ${missing.join(", ")} in ${home}, ` +
        `expected data_batch_1.bin to data_batch_5.bin; ${mend}`,
    );
  }

  return recordImages(BATCHES.flatMap((name) => recordsOf(join(home, name))));
}

/** The records of a batch file. Throws UsageError as parseRecords does. */
export const recordsOf = (path: string): Uint8Array[] => parseRecords(readBytes(path, "cifar10"), path);
