import { join } from "node:path";
import { gzipSync } from "fflate";
import { expect, test } from "vitest";
import { toBatch } from "../../data/dataset.ts";
import { mnist } from "../../data/mnist.ts";
import { complaint, tempFolder } from "./temp-folder.ts";

/** An IDX file of bytes: magic, lengths of the axes, values 0, 1, 2, ... */
function idx(magic: number, lengths: number[]): Uint8Array {
  const count = lengths.reduce((product, length) => product * length, 1);
  const bytes = new Uint8Array(4 + 4 * lengths.length + count);
  const view = new DataView(bytes.buffer);
  [magic, ...lengths].forEach((word, i) => {
    view.setUint32(4 * i, word);
  });
  for (let i = 0; i < count; i++) bytes[4 + 4 * lengths.length + i] = i;
  return bytes;
}

const IMAGES = "train-images-idx3-ubyte";
const LABELS = "train-labels-idx1-ubyte";
const images = idx(0x803, [5, 4, 3]);
const labels = idx(0x801, [5]);

test.each([
  ["plain", { [IMAGES]: images, [LABELS]: labels }],
  ["gzipped", { [`${IMAGES}.gz`]: gzipSync(images), [`${LABELS}.gz`]: gzipSync(labels) }],
  ["with dots in their names", { "train-images.idx3-ubyte": images, "train-labels.idx1-ubyte": labels }],
])("reads files %s", (_, files) => {
  const set = mnist(tempFolder(files));
  expect([set.count, set.channels, set.height, set.width]).toEqual([5, 1, 4, 3]);
  expect(set.label?.(4)).toBe(4);
  expect(Array.from(toBatch(set, [1]), (value) => Math.round(value * 255))).toEqual(
    Array.from({ length: 12 }, (_, p) => 12 + p),
  );
});

test("labels may be missing", () => {
  expect(mnist(tempFolder({ [IMAGES]: images })).label).toBeUndefined();
});

test("the test part has names of its own", () => {
  expect(mnist(tempFolder({ "t10k-images-idx3-ubyte": images }), { part: "t10k" }).count).toBe(5);
});

const complain = (files: Record<string, Uint8Array | string>) => {
  const folder = tempFolder(files);
  return complaint(folder, () => mnist(folder));
};

test("says what is wrong with the files, and how to mend it", () => {
  expect(complain({})).toMatchInlineSnapshot(
    `"UsageError: mnist: got no images in FOLDER, expected train-images-idx3-ubyte or train-images-idx3-ubyte.gz; bring the files there by stein data fetch mnist --to FOLDER, or use the built-in digits"`,
  );
  expect(complain({ [IMAGES]: images.subarray(0, 60) })).toMatchInlineSnapshot(
    `"UsageError: mnist: got FOLDER/train-images-idx3-ubyte with 60 bytes, expected 76 for [5, 4, 3]; the file is cut short, download it again"`,
  );
  expect(complain({ [IMAGES]: Uint8Array.of(...images, 0) })).toMatchInlineSnapshot(
    `"UsageError: mnist: got FOLDER/train-images-idx3-ubyte with 77 bytes, expected 76 for [5, 4, 3]; the file is too long, download it again"`,
  );
  expect(complain({ [IMAGES]: images.subarray(0, 10) })).toMatchInlineSnapshot(
    `"UsageError: mnist: got FOLDER/train-images-idx3-ubyte with magic 0x00000803, 10 bytes, expected an IDX file with magic 0x00000803; the file is cut short, download it again"`,
  );
  expect(complain({ [IMAGES]: "" })).toMatchInlineSnapshot(
    `"UsageError: mnist: got FOLDER/train-images-idx3-ubyte with 0 bytes, expected an IDX file with magic 0x00000803; the file is cut short, download it again"`,
  );
  expect(complain({ [IMAGES]: "<!doctype html><title>404</title>" })).toMatchInlineSnapshot(
    `"UsageError: mnist: got FOLDER/train-images-idx3-ubyte with magic 0x3c21646f, 33 bytes, expected an IDX file with magic 0x00000803; the file is of another format, download it again"`,
  );
  expect(complain({ [IMAGES]: labels })).toMatchInlineSnapshot(
    `"UsageError: mnist: got FOLDER/train-images-idx3-ubyte with magic 0x00000801, 13 bytes, expected an IDX file with magic 0x00000803; this is a file of labels, download it again"`,
  );
  expect(complain({ [IMAGES]: idx(0x803, [0, 28, 28]) })).toMatchInlineSnapshot(
    `"UsageError: mnist: got FOLDER/train-images-idx3-ubyte of [0, 28, 28], expected at least one image; download it again"`,
  );
  expect(complain({ [IMAGES]: images, [LABELS]: idx(0x801, [4]) })).toMatchInlineSnapshot(
    `"UsageError: mnist: got 4 labels in FOLDER/train-labels-idx1-ubyte, expected 5, one for each image of FOLDER/train-images-idx3-ubyte; download both from the same source"`,
  );
});

test("names a gzip file that was cut short, wherever it was cut", () => {
  const packed = gzipSync(idx(0x803, [50, 28, 28]));
  expect(complain({ [`${IMAGES}.gz`]: packed.subarray(0, 15) })).toMatchInlineSnapshot(
    `"UsageError: mnist: got FOLDER/train-images-idx3-ubyte.gz of 15 bytes, expected a whole gzip file (it ends too early); download it again"`,
  );
  for (let length = 2; length < packed.length; length += 97) {
    expect(complain({ [`${IMAGES}.gz`]: packed.subarray(0, length) })).toMatch(
      /^UsageError: mnist: got .*\.gz/,
    );
  }
});

test("a folder in place of a file, and a folder that is not there, are told", () => {
  const folder = tempFolder();
  expect(complaint(folder, () => mnist(join(folder, "nowhere")))).toMatchInlineSnapshot(
    `"UsageError: mnist: got no images in FOLDER/nowhere, expected train-images-idx3-ubyte or train-images-idx3-ubyte.gz; bring the files there by stein data fetch mnist --to FOLDER/nowhere, or use the built-in digits"`,
  );
});
