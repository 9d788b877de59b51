import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encode } from "fast-png";
import { gzipSync } from "fflate";
import { expect, test } from "vitest";
import { checkData, kindOf } from "../../data/check.ts";
import { cifar10Home } from "../../data/cifar10.ts";
import { jpegFiles } from "./jpeg-files.ts";
import { tempFolder } from "./temp-folder.ts";

function idx(magic: number, lengths: number[]): Uint8Array {
  const bytes = new Uint8Array(
    4 + 4 * lengths.length + lengths.reduce((product, length) => product * length, 1),
  );
  const view = new DataView(bytes.buffer);
  [magic, ...lengths].forEach((word, i) => {
    view.setUint32(4 * i, word);
  });
  return bytes;
}

const images = idx(0x803, [5, 4, 3]);
const labels = idx(0x801, [5]);
const png = (side: number, channels = 3) =>
  encode({ width: side, height: side, channels, depth: 8, data: new Uint8Array(side * side * channels) });
const jpeg = Buffer.from(jpegFiles["grey"]!.file, "base64");

/** The faults of a folder's files, the folder put away. */
const faults = (folder: string) =>
  checkData(folder).faults.map(({ file, fault }) => {
    expect(fault).toContain(
      file
        .slice(folder.length + 1)
        .split("/")
        .at(-1),
    );
    return fault.replaceAll(folder, "FOLDER");
  });

test("MNIST: counts, sizes, and that it is not the official file", () => {
  const folder = tempFolder({
    "train-images-idx3-ubyte.gz": gzipSync(images),
    "train-labels.idx1-ubyte": labels,
    "t10k-images-idx3-ubyte": idx(0x803, [2, 4, 3]),
  });
  const told: [number, number][] = [];
  const report = checkData(folder, (...args) => told.push(args));
  expect(report).toEqual({
    path: folder,
    kind: "mnist",
    files: [
      { file: join(folder, "t10k-images-idx3-ubyte"), count: 2, official: false },
      { file: join(folder, "train-images-idx3-ubyte.gz"), count: 5, official: false },
      { file: join(folder, "train-labels.idx1-ubyte"), count: 5, official: false },
    ],
    images: 7,
    sizes: [["3x4x1", 7]],
    faults: [],
  });
  expect(told).toEqual([
    [1, 3],
    [2, 3],
    [3, 3],
  ]);
});

test("MNIST: files cut short, of another kind, that do not fit together, that are not there", () => {
  const name = "train-images-idx3-ubyte";
  expect(faults(tempFolder({ [name]: images.subarray(0, 60) }))[0]).toMatch(/cut short/);
  expect(faults(tempFolder({ [name]: labels }))[0]).toMatch(/this is a file of labels/);
  expect(faults(tempFolder({ [`${name}.gz`]: gzipSync(images).subarray(0, 30) }))[0]).toMatch(
    /whole gzip file/,
  );
  expect(faults(tempFolder({ [name]: images, "train-labels-idx1-ubyte": idx(0x801, [4]) }))).toEqual([
    "mnist: got 4 labels in FOLDER/train-labels-idx1-ubyte, expected 5, one for each image",
  ]);
  expect(faults(tempFolder({ "t10k-images-idx3-ubyte": images }))[0]).toMatch(
    /got no training images in FOLDER/,
  );
});

test("CIFAR-10 is checked where training looks for it", () => {
  const folder = tempFolder({ "data_batch_1.bin": "" });
  mkdirSync(join(folder, "cifar-10-batches-bin"));
  expect(cifar10Home(folder)).toBe(folder);
  expect(faults(folder)[0]).toContain("FOLDER/data_batch_1.bin");
  rmSync(join(folder, "data_batch_1.bin"));
  expect(cifar10Home(folder)).toBe(join(folder, "cifar-10-batches-bin"));
});

/** A batch of CIFAR-10's binary version, of count records. */
const batch = (count: number) => new Uint8Array(3073 * count);

test("CIFAR-10: five batches of 10,000 records, found in the folder the archive unpacks to", () => {
  const folder = tempFolder();
  mkdirSync(join(folder, "cifar-10-batches-bin"));
  const put = (name: string, bytes: Uint8Array) =>
    writeFileSync(join(folder, "cifar-10-batches-bin", name), bytes);
  for (const n of [1, 2, 3, 4, 5]) put(`data_batch_${n}.bin`, batch(10_000));
  const whole = checkData(folder);
  expect([whole.kind, whole.images, whole.sizes, whole.faults]).toEqual([
    "cifar10",
    50_000,
    [["32x32x3", 50_000]],
    [],
  ]);

  put("data_batch_2.bin", batch(9999));
  put("data_batch_3.bin", batch(10_000).fill(10, 0, 1));
  put("data_batch_4.bin", batch(10_000).subarray(1));
  put("test_batch.bin", batch(1));
  const told = faults(folder);
  expect(told.length).toBe(4);
  expect(told[0]).toMatch(/data_batch_2\.bin with 9999 records, expected 10000/);
  expect(told[1]).toMatch(/label 10 in record 0/);
  expect(told[2]).toMatch(/30729999 bytes/);
  expect(told[3]).toMatch(/test_batch\.bin with 1 records/);
  expect(faults(tempFolder({ "data_batch_1.bin": batch(10_000) })).length).toBe(4);
});

test("a folder of images: every file is decoded, sizes are counted, bad ones named in order", () => {
  const folder = tempFolder({
    "a.png": png(4),
    "b.png": png(4),
    "c.png": png(4, 1),
    "d.jpg": jpeg,
    "e.jpg": jpeg.subarray(0, 200),
    "f.png": "no image",
    "notes.txt": "passed over",
  });
  const report = checkData(folder);
  expect([report.kind, report.images]).toEqual(["folder", 4]);
  expect(report.sizes).toEqual([
    ["4x4x3", 2],
    ["4x4x1", 1],
    ["19x11x3", 1],
  ]);
  expect(faults(folder)).toEqual([
    "image folder: got FOLDER/e.jpg of 200 bytes, expected a whole JPEG file (it ends too early); " +
      "copy it again or take it out of the folder",
    "image folder: got FOLDER/f.png of 8 bytes beginning with 6e 6f 20 69, " +
      "expected a PNG (89 50 4e 47) or JPEG (ff d8 ff) file; convert it or take it out of the folder",
  ]);
});

test("what lies in a folder is told by its names; nothing to check is a complaint", () => {
  expect(kindOf(tempFolder({ "train-images-idx3-ubyte.gz": "" }))).toBe("mnist");
  expect(kindOf(tempFolder({ data_batch_1: "the Python version" }))).toBe("cifar10");
  expect(kindOf(tempFolder({ "a.jpg": "" }))).toBe("folder");
  const python = tempFolder();
  mkdirSync(join(python, "cifar-10-batches-py"));
  writeFileSync(join(python, "cifar-10-batches-py", "data_batch_1"), "");
  expect(kindOf(python)).toBe("cifar10");
  const deep = tempFolder({ "a.jpg": "" });
  mkdirSync(join(deep, "sets"));
  for (const name of ["train-images-idx3-ubyte.gz", "data_batch_1.bin"])
    writeFileSync(join(deep, "sets", name), "");
  expect(kindOf(deep), "files deeper than training looks").toBe("folder");
  expect(() => checkData(tempFolder())).toThrow(/got no files/);
  expect(() => checkData(join(tempFolder(), "nowhere"))).toThrow(/cannot list/);
});
