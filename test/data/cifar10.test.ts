import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cifar10 } from "../../data/cifar10.ts";
import { toBatch } from "../../data/dataset.ts";
import { complaint, tempFolder } from "./temp-folder.ts";

/** Records of one grey level a plane: red = level, green = level + 1, blue = level + 2; the label is level % 10. */
function batch(levels: number[]): Uint8Array {
  const bytes = new Uint8Array(3073 * levels.length);
  levels.forEach((level, n) => {
    bytes[3073 * n] = level % 10;
    for (let p = 0; p < 3072; p++) bytes[3073 * n + 1 + p] = level + Math.floor(p / 1024);
  });
  return bytes;
}

const batches = (): Record<string, Uint8Array> =>
  Object.fromEntries([1, 2, 3, 4, 5].map((n) => [`data_batch_${n}.bin`, batch([10 * n, 10 * n + 1])]));

test("reads the five batches in order", () => {
  const set = cifar10(tempFolder(batches()));
  expect([set.count, set.channels, set.height, set.width]).toEqual([10, 3, 32, 32]);
  expect(set.label?.(3)).toBe(1);
  const image = toBatch(set, [3]); // the second of the second file
  expect([0, 1024, 3071].map((p) => Math.round(image[p]! * 255))).toEqual([21, 22, 23]);
});

test("finds the folder the archive unpacks to", () => {
  const folder = tempFolder();
  mkdirSync(join(folder, "cifar-10-batches-bin"));
  for (const [name, bytes] of Object.entries(batches()))
    writeFileSync(join(folder, "cifar-10-batches-bin", name), bytes);
  expect(cifar10(folder).count).toBe(10);
});

const complain = (files: Record<string, Uint8Array | string>) => {
  const folder = tempFolder(files);
  return complaint(folder, () => cifar10(folder));
};

test("says what is wrong with the files, and how to mend it", () => {
  const { "data_batch_2.bin": _, "data_batch_5.bin": __, ...some } = batches();
  expect(complain(some)).toMatchInlineSnapshot(
    `"UsageError: cifar10: got no data_batch_2.bin, data_batch_5.bin in FOLDER, expected data_batch_1.bin to data_batch_5.bin; bring them there by stein data fetch cifar10 --to FOLDER, or unpack cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html"`,
  );
  expect(complain({ data_batch_1: "pickle" })).toMatchInlineSnapshot(
    `"UsageError: cifar10: got no data_batch_1.bin, data_batch_2.bin, data_batch_3.bin, data_batch_4.bin, data_batch_5.bin in FOLDER, expected data_batch_1.bin to data_batch_5.bin; the folder holds the Python version, unpack cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html instead"`,
  );
  expect(
    complain({ ...batches(), "data_batch_3.bin": batch([1, 2]).subarray(0, 5000) }),
  ).toMatchInlineSnapshot(
    `"UsageError: cifar10: got FOLDER/data_batch_3.bin with 5000 bytes, expected records of 3073 (30730000 bytes for 10000); the file is cut short or of another format, unpack cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html again"`,
  );
  expect(complain({ ...batches(), "data_batch_3.bin": "" })).toMatchInlineSnapshot(
    `"UsageError: cifar10: got FOLDER/data_batch_3.bin with 0 bytes, expected records of 3073 (30730000 bytes for 10000); the file is cut short or of another format, unpack cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html again"`,
  );
  expect(
    complain({ ...batches(), "data_batch_4.bin": new Uint8Array(2 * 3073).fill(200) }),
  ).toMatchInlineSnapshot(
    `"UsageError: cifar10: got label 200 in record 0 of FOLDER/data_batch_4.bin, expected 0 to 9; the file is of another format (CIFAR-100 has two labels a record), unpack cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html"`,
  );
});
