import { join } from "node:path";
import { byteImages } from "./bytes.ts";
import type { ImageSet } from "./dataset.ts";
import { findImages, readImage } from "./image-file.ts";
import { type Preparation, preparationOf, preparer } from "./prepare.ts";
import { streamed } from "./streamed.ts";

export interface FolderOptions extends Partial<Preparation> {
  /** Take only the first count files. */
  count?: number | undefined;
  /** Decode files while training goes on, and not all before it. Default: when there are more than 2,000. */
  stream?: boolean | undefined;
  /** MiB of images that a streamed folder holds; 1024 unless given. */
  memory?: number | undefined;
}

const READ_AT_ONCE = 2000;
const MEBIBYTE = 2 ** 20;

/**
 * The PNG and JPEG files in a folder and the folders below, sorted by path: cropped to a centred square, resized, and
 * kept as bytes; 3 x 32 x 32 unless told. A folder of a few is read at once, so that a bad file shows before training
 * begins; of many, each is decoded on a thread when it is needed. Throws UsageError naming the file, what was found
 * and the mend.
 */
export function imageFolder(
  folder: string,
  { count, stream, memory = 1024, ...given }: FolderOptions = {},
): ImageSet {
  const preparation = preparationOf(given);
  const paths = findImages(folder).slice(0, count);
  if (stream ?? paths.length > READ_AT_ONCE)
    return streamed(folder, paths, preparation, { memory: memory * MEBIBYTE });

  const { size, channels } = preparation;
  const prepare = preparer(preparation);
  const images = paths.map((path) => join(folder, path)).map((path) => prepare(readImage(path), path));
  const shape = { name: folder, count: paths.length, channels, height: size, width: size };
  return byteImages(shape, (i) => ({ bytes: images[i]!, start: 0 }));
}
