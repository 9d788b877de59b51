import { createHash } from "node:crypto";
import { join } from "node:path";
import { UsageError } from "../engine/errors.ts";
import { BATCHES, cifar10Home, recordsOf } from "./cifar10.ts";
import { exists, listFiles, readUnpacked } from "./files.ts";
import { IMAGES, LABELS } from "./idx.ts";
import { findImages, readImage } from "./image-file.ts";
import { mnistSums } from "./known-sums.ts";
import { readIdx } from "./mnist.ts";

/** What lies in a folder, told by the names of its files. */
type FolderKind = "mnist" | "cifar10" | "folder";

interface CheckedFile {
  file: string;
  /** Images, or labels, in it. */
  count: number;
  /** Its sum is that of the official file; undefined where none is known. */
  official?: boolean;
}

export interface CheckReport {
  path: string;
  kind: FolderKind;
  /** All that are right, of MNIST and CIFAR-10; a folder of images counts them only. */
  files: CheckedFile[];
  images: number;
  /** How many images there are of each "width x height x channels", the most frequent first. */
  sizes: [size: string, count: number][];
  /** What is wrong, file by file, in order. Empty: all is well. */
  faults: { file: string; fault: string }[];
}

const IDX = /^(train|t10k)-(images|labels)[-.]idx([13])-ubyte(\.gz)?$/;
const TEST_BATCH = "test_batch.bin";

/** Where cifar10 looks for them, and where the Python version has them. */
const CIFAR10 = /^(cifar-10-batches-(bin|py)\/)?data_batch_\d(\.bin)?$/;

/** What lies in a folder. Throws UsageError when it cannot be listed. */
export function kindOf(folder: string): FolderKind {
  const names = listFiles(folder, "data");
  if (names.some((name) => IDX.test(name))) return "mnist";
  return names.some((name) => CIFAR10.test(name)) ? "cifar10" : "folder";
}

/**
 * Reads every file of a data set: formats, lengths, labels, sums of the official files, images that do not decode.
 * onProgress: files done, of how many. Throws UsageError when there is nothing to check; what is wrong with a file is
 * in the report.
 */
export function checkData(folder: string, onProgress?: (done: number, total: number) => void): CheckReport {
  const kind = kindOf(folder);
  const report: CheckReport = { path: folder, kind, files: [], images: 0, sizes: [], faults: [] };
  checkers[kind](report, onProgress ?? (() => {}));
  return report;
}

type Checker = (report: CheckReport, onProgress: (done: number, total: number) => void) => void;

const checkers: Record<FolderKind, Checker> = {
  mnist: checkMnist,
  cifar10: checkCifar10,
  folder: checkFolder,
};

function checkMnist(report: CheckReport, onProgress: (done: number, total: number) => void): void {
  const { path: folder, faults, files } = report;
  const names = listFiles(folder, "data").filter((name) => IDX.test(name));
  const sizes = new Map<string, number>();
  const counts = new Map<string, { count: number; file: string }>();
  names.forEach((name, done) => {
    const [, part, what] = IDX.exec(name)!;
    const file = join(folder, name);
    collect(faults, file, () => {
      const { lengths } = readIdx(file, what === "images" ? IMAGES : LABELS);
      const [count, height, width] = lengths as [number, number, number];
      const sum = createHash("md5").update(readUnpacked(file, "mnist")).digest("hex");
      files.push({ file, count, official: sum === mnistSums[`${part}-${what}`] });
      counts.set(`${part}-${what}`, { count, file });
      if (what === "images") add(sizes, `${width}x${height}x1`, count);
    });
    onProgress(done + 1, names.length);
  });
  for (const part of ["train", "t10k"]) {
    const [images, labels] = [counts.get(`${part}-images`), counts.get(`${part}-labels`)];
    if (images && labels && images.count !== labels.count)
      faults.push({
        file: labels.file,
        fault: `mnist: got ${labels.count} labels in ${labels.file}, expected ${images.count}, one for each image`,
      });
  }
  if (!names.some((name) => name.startsWith("train-images")))
    faults.push({
      file: join(folder, "train-images-idx3-ubyte.gz"),
      fault: `mnist: got no training images in ${folder}, expected train-images-idx3-ubyte.gz; stein data fetch mnist brings it`,
    });
  finish(report, sizes);
}

function checkCifar10(report: CheckReport, onProgress: (done: number, total: number) => void): void {
  const home = cifar10Home(report.path);
  const names = [...BATCHES, TEST_BATCH];
  const sizes = new Map<string, number>();
  names.forEach((name, done) => {
    const file = join(home, name);
    if (exists(file))
      collect(report.faults, file, () => {
        const count = recordsOf(file).length;
        report.files.push({ file, count });
        add(sizes, "32x32x3", count);
        if (count !== 10_000)
          throw new UsageError(
            `cifar10: got ${file} with ${count} records, expected 10000; stein data fetch cifar10 brings it`,
          );
      });
    else if (name !== TEST_BATCH)
      report.faults.push({
        file,
        fault: `cifar10: got no ${name} in ${home}, expected data_batch_1.bin to data_batch_5.bin; stein data fetch cifar10 brings them`,
      });
    onProgress(done + 1, names.length);
  });
  finish(report, sizes);
}

function checkFolder(report: CheckReport, onProgress: (done: number, total: number) => void): void {
  const paths = findImages(report.path);
  const sizes = new Map<string, number>();
  paths.forEach((path, done) => {
    const file = join(report.path, path);
    collect(report.faults, file, () => {
      const { width, height, channels } = readImage(file);
      add(sizes, `${width}x${height}x${channels}`, 1);
    });
    onProgress(done + 1, paths.length);
  });
  finish(report, sizes);
}

function collect(faults: CheckReport["faults"], file: string, look: () => void): void {
  try {
    look();
  } catch (fault) {
    if (!(fault instanceof UsageError)) throw fault;
    faults.push({ file, fault: fault.message });
  }
}

const add = (counts: Map<string, number>, size: string, count: number) =>
  void counts.set(size, (counts.get(size) ?? 0) + count);

function finish(report: CheckReport, sizes: Map<string, number>): void {
  report.sizes = [...sizes].sort(([, a], [, b]) => b - a);
  report.images = report.sizes.reduce((sum, [, count]) => sum + count, 0);
}
