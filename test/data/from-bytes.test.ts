import { encode } from "fast-png";
import { gzipSync } from "fflate";
import { expect, test } from "vitest";
import { cifar10 } from "../../data/cifar10.ts";
import { type ImageSet, toBatch } from "../../data/dataset.ts";
import { cifar10FromBytes, imagesFromBytes, mnistFromBytes } from "../../data/from-bytes.ts";
import { imageFolder } from "../../data/image-folder.ts";
import { mnist } from "../../data/mnist.ts";
import { jpegFiles } from "./jpeg-files.ts";
import { complaint, tempFolder } from "./temp-folder.ts";

// Sets out of bytes are those out of files.

/** An IDX file of bytes that count up. */
function idx(magic: number, lengths: readonly number[]): Uint8Array<ArrayBuffer> {
  const size = lengths.reduce((product, length) => product * length, 1);
  const file = new Uint8Array(4 + 4 * lengths.length + size);
  const view = new DataView(file.buffer);
  [magic, ...lengths].forEach((word, i) => {
    view.setUint32(4 * i, word);
  });
  return file.map((byte, i) => (i < file.length - size ? byte : i % 251));
}

/** One record after the other, each of label n. */
const records = (count: number, salt = 0) =>
  Uint8Array.from({ length: 3073 * count }, (_, i) =>
    i % 3073 === 0 ? (i / 3073) % 10 : (i * 7 + salt) % 256,
  );

const png = (side: number) =>
  encode({
    width: side,
    height: side,
    channels: 3,
    data: Uint8Array.from({ length: 3 * side ** 2 }, (_, i) => i % 256),
  });

function expectSame(got: ImageSet, truth: ImageSet): void {
  const all = Array.from({ length: truth.count }, (_, i) => i);
  expect(got.count).toBe(truth.count);
  expect(toBatch(got, all)).toEqual(toBatch(truth, all));
  expect(all.map((i) => got.label?.(i))).toEqual(all.map((i) => truth.label?.(i)));
}

test("MNIST, from ArrayBuffers and from gzip, with labels and without", () => {
  const [images, labels] = [idx(0x803, [3, 4, 4]), idx(0x801, [3])];
  const files = { "train-images-idx3-ubyte": images };
  const both = mnist(tempFolder({ ...files, "train-labels-idx1-ubyte": labels }));
  expectSame(mnistFromBytes({ images: images.buffer, labels: labels.buffer }), both);
  expectSame(mnistFromBytes({ images: gzipSync(images), labels: gzipSync(labels) }), both);
  expectSame(mnistFromBytes({ images }), mnist(tempFolder(files)));
});

test("CIFAR-10, file after file", () => {
  const batches = [0, 1, 2, 3, 4].map((salt) => records(3, salt));
  const files = batches.map((batch, n) => [`data_batch_${n + 1}.bin`, batch]);
  expectSame(cifar10FromBytes(batches), cifar10(tempFolder(Object.fromEntries(files))));
});

test("PNG and JPEG, cropped and resized as those of a folder are", () => {
  const files = { "a.png": png(9), "b.jpg": Buffer.from(jpegFiles["progressive"]!.file, "base64") };
  const given = Object.entries(files).map(([name, bytes]) => ({ name, bytes }));
  expectSame(imagesFromBytes(given), imageFolder(tempFolder(files)));
  const options = { size: 4, channels: 1, crop: 8, resize: "bicubic" } as const;
  expectSame(imagesFromBytes(given, options), imageFolder(tempFolder(files), options));
});

test("says what is wrong, and with which file", () => {
  const say = (act: () => unknown) => complaint("nowhere", act);
  const images = idx(0x803, [2, 4, 4]);
  expect(say(() => mnistFromBytes({ images: images.subarray(0, 20) }))).toMatchInlineSnapshot(
    `"UsageError: mnist: got the images with 20 bytes, expected 48 for [2, 4, 4]; the file is cut short, download it again"`,
  );
  expect(say(() => mnistFromBytes({ images, labels: idx(0x801, [3]) }))).toMatchInlineSnapshot(
    `"UsageError: mnist: got 3 labels in the labels, expected 2, one for each image of the images; download both from the same source"`,
  );
  expect(say(() => cifar10FromBytes([]))).toMatchInlineSnapshot(
    `"UsageError: cifar10: got no files, expected the bytes of data_batch_1.bin or others like it"`,
  );
  expect(say(() => cifar10FromBytes([records(1), new Uint8Array(5)]))).toMatchInlineSnapshot(
    `"UsageError: cifar10: got file 1 with 5 bytes, expected records of 3073 (30730000 bytes for 10000); the file is cut short or of another format, unpack cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html again"`,
  );
  expect(say(() => imagesFromBytes([]))).toMatchInlineSnapshot(
    `"UsageError: images: got no files, expected PNG or JPEG files"`,
  );
  expect(say(() => imagesFromBytes([{ name: "a.gif", bytes: new ArrayBuffer(6) }]))).toMatchInlineSnapshot(
    `"UsageError: image folder: got a.gif of 6 bytes beginning with 00 00 00 00, expected a PNG (89 50 4e 47) or JPEG (ff d8 ff) file; convert it or take it out of the folder"`,
  );
  expect(say(() => imagesFromBytes([{ name: "a.png", bytes: png(4) }], { crop: 5 }))).toMatchInlineSnapshot(
    `"UsageError: image folder: got a.png of 4x4, expected at least 5x5, the crop; lower data.crop or take the file out of the folder"`,
  );
  const file = new Blob(["a"]) as unknown as ArrayBuffer;
  expect(say(() => mnistFromBytes({ images: file }))).toMatchInlineSnapshot(
    `"UsageError: data: got [object Blob], expected an ArrayBuffer or a Uint8Array; of a File or a Response, await arrayBuffer()"`,
  );
});
