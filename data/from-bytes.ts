import { UsageError } from "../engine/errors.ts";
import { byteImages } from "./bytes.ts";
import { parseRecords, recordImages } from "./cifar10-records.ts";
import type { ImageSet } from "./dataset.ts";
import { decodeImage } from "./decode-image.ts";
import { idxImages } from "./idx.ts";
import { type Preparation, preparationOf, preparer } from "./prepare.ts";

// The sets of files for whoever has their bytes: in a browser, from fetch or from files that a person chose.

/** What a file holds. */
export type Bytes = ArrayBuffer | Uint8Array;

function view(bytes: Bytes): Uint8Array {
  if (bytes instanceof ArrayBuffer) return new Uint8Array(bytes);
  if (bytes instanceof Uint8Array) return bytes;
  throw new UsageError(
    `data: got ${Object.prototype.toString.call(bytes)}, expected an ArrayBuffer or a Uint8Array; ` +
      `of a File or a Response, await arrayBuffer()`,
  );
}

/**
 * MNIST, or any set in its format, out of the bytes of its IDX files, plain or gzipped; labels are optional. Throws
 * UsageError on another format, a wrong length and labels that do not go with the images.
 */
export function mnistFromBytes({ images, labels }: { images: Bytes; labels?: Bytes | undefined }): ImageSet {
  return idxImages(
    { name: "the images", bytes: view(images) },
    labels && { name: "the labels", bytes: view(labels) },
  );
}

/**
 * CIFAR-10, 3 x 32 x 32, out of the bytes of files of its binary version, each with any number of records. Throws
 * UsageError without files and on one that is cut short or of another format.
 */
export function cifar10FromBytes(batches: readonly Bytes[]): ImageSet {
  if (batches.length === 0)
    throw new UsageError("cifar10: got no files, expected the bytes of data_batch_1.bin or others like it");
  return recordImages(batches.flatMap((bytes, n) => parseRecords(view(bytes), `file ${n}`)));
}

/**
 * PNG and JPEG files as a set, in the order given: cropped to a centred square, resized, and kept as bytes; 3 x 32 x 32
 * unless told. Throws UsageError without files, and naming one that is of another format, damaged or smaller than the
 * crop.
 */
export function imagesFromBytes(
  files: readonly { name: string; bytes: Bytes }[],
  options: Partial<Preparation> = {},
): ImageSet {
  const preparation = preparationOf(options);
  if (files.length === 0) throw new UsageError("images: got no files, expected PNG or JPEG files");
  const prepare = preparer(preparation);
  const images = files.map(({ name, bytes }) => prepare(decodeImage(view(bytes), name), name));
  const { size, channels } = preparation;
  const shape = { name: "images", count: files.length, channels, height: size, width: size };
  return byteImages(shape, (i) => ({ bytes: images[i]!, start: 0 }));
}
