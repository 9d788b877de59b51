import { UsageError } from "../engine/errors.ts";
import { byteImages } from "./bytes.ts";
import type { ImageSet } from "./dataset.ts";

const SIDE = 32;
const RECORD = 1 + 3 * SIDE * SIDE; // label, then red, green and blue planes
export const SOURCE = "cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html";

/** The records of CIFAR-10's binary version as a set, 3 x 32 x 32. */
export function recordImages(records: readonly Uint8Array[]): ImageSet {
  const shape = { name: "cifar10", count: records.length, channels: 3, height: SIDE, width: SIDE };
  return {
    ...byteImages(shape, (i) => ({ bytes: records[i]!, start: 1 })),
    label: (i) => records[i]![0]!,
  };
}

/** The records of a batch file: label, then red, green and blue planes. Throws UsageError on a cut or foreign file. */
export function parseRecords(bytes: Uint8Array, name: string): Uint8Array[] {
  if (bytes.length === 0 || bytes.length % RECORD !== 0) {
    throw new UsageError(
      `cifar10: got ${name} with ${bytes.length} bytes, ` +
        `expected records of ${RECORD} (30730000 bytes for 10000); ` +
        `the file is cut short or of another format, unpack ${SOURCE} again`,
    );
  }
  const records = Array.from({ length: bytes.length / RECORD }, (_, n) =>
    bytes.subarray(n * RECORD, (n + 1) * RECORD),
  );
  const foreign = records.findIndex((record) => record[0]! > 9);
  if (foreign >= 0) {
    throw new UsageError(
      `cifar10: got label ${records[foreign]![0]} in record ${foreign} of ${name}, expected 0 to 9; ` +
        `the file is of another format (CIFAR-100 has two labels a record), unpack ${SOURCE}`,
    );
  }
  return records;
}
