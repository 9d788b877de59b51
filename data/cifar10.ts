import { join } from "node:path";
import { UsageError } from "../engine/errors.ts";
import { byteImages } from "./bytes.ts";
import type { ImageSet } from "./dataset.ts";
import { exists, readBytes } from "./files.ts";

const SIDE = 32;
const RECORD = 1 + 3 * SIDE * SIDE; // label, then red, green and blue planes
const BATCHES = [1, 2, 3, 4, 5].map((n) => `data_batch_${n}.bin`);
const SOURCE = "cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html";

/**
 * CIFAR-10, 3 x 32 x 32, out of a folder with the binary version's data_batch_1.bin to data_batch_5.bin, or
 * the folder above it. Throws UsageError naming the file, what it holds and the mend.
 */
export function cifar10(folder: string): ImageSet {
  const inner = join(folder, "cifar-10-batches-bin");
  const home = exists(join(folder, BATCHES[0])) || !exists(inner) ? folder : inner;

  const missing = BATCHES.filter((name) => !exists(join(home, name)));
  if (missing.length > 0) {
    const mend = exists(join(home, "data_batch_1"))
      ? `the folder holds the Python version, unpack ${SOURCE} instead`
      : `unpack ${SOURCE} there`;
    throw new UsageError(
      `cifar10: got no ${missing.join(", ")} in ${home}, ` +
        `expected data_batch_1.bin to data_batch_5.bin; ${mend}`,
    );
  }

  const records = BATCHES.flatMap((name) => recordsOf(join(home, name)));
  const shape = { name: "cifar10", count: records.length, channels: 3, height: SIDE, width: SIDE };
  return {
    ...byteImages(shape, (i) => ({ bytes: records[i], start: 1 })),
    label: (i) => records[i][0],
  };
}

/** The records of a batch file: label, then red, green and blue planes. Throws UsageError on a cut or foreign file. */
export function recordsOf(path: string): Uint8Array[] {
  const bytes = readBytes(path, "cifar10");
  if (bytes.length === 0 || bytes.length % RECORD !== 0) {
    throw new UsageError(
      `cifar10: got ${path} with ${bytes.length} bytes, ` +
        `expected records of ${RECORD} (30730000 bytes for 10000); ` +
        `the file is cut short or of another format, unpack ${SOURCE} again`,
    );
  }
  const records = Array.from({ length: bytes.length / RECORD }, (_, n) =>
    bytes.subarray(n * RECORD, (n + 1) * RECORD),
  );
  const foreign = records.findIndex((record) => record[0] > 9);
  if (foreign >= 0) {
    throw new UsageError(
      `cifar10: got label ${records[foreign][0]} in record ${foreign} of ${path}, expected 0 to 9; ` +
        `the file is of another format (CIFAR-100 has two labels a record), unpack ${SOURCE}`,
    );
  }
  return records;
}
