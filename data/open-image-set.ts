import { nearest, UsageError } from "../engine/errors.ts";
import { cifar10 } from "./cifar10.ts";
import { conform } from "./conform.ts";
import { first, type ImageSet } from "./dataset.ts";
import { digits } from "./digits.ts";
import { imageFolder } from "./image-folder.ts";
import { mnist } from "./mnist.ts";
import type { FilterName } from "./resize.ts";

export type ImageSetName = "digits" | "mnist" | "cifar10" | "folder";

export interface ImageSetSpec {
  name: ImageSetName;
  /** Folder of the files; every set but digits needs one. */
  path?: string;
  /** Take only so many images, the first; for digits, draw so many. */
  count?: number;
  /** Of the drawn digits. */
  seed?: number;
  /** Side of the square images; see conform(). Default: the set's own, 32 for a folder. */
  size?: number;
  /** 1 for grey, 3 for RGB. Default: the set's own, 3 for a folder. */
  channels?: number;
  /** Of a folder: see FolderOptions. */
  crop?: number;
  resize?: FilterName;
  stream?: boolean;
  memory?: number;
}

const openers = {
  digits: ({ count, seed }) =>
    digits({ ...(count !== undefined && { count }), ...(seed !== undefined && { seed }) }),
  mnist: (spec) => shortened(mnist(requirePath(spec)), spec),
  cifar10: (spec) => shortened(cifar10(requirePath(spec)), spec),
  folder: (spec) => shortened(imageFolder(requirePath(spec), spec), spec),
} satisfies Record<ImageSetName, (spec: ImageSetSpec) => ImageSet>;

export const imageSetNames = Object.keys(openers) as ImageSetName[];

/** Opens a set by name. Throws UsageError on an unknown name, a missing path and bad files. */
export function openImageSet(spec: ImageSetSpec): ImageSet {
  if (!Object.hasOwn(openers, spec.name)) {
    const meant = nearest(spec.name, imageSetNames);
    const mend = meant === undefined ? "choose one of them" : `did you mean "${meant}"?`;
    throw new UsageError(`data: got "${spec.name}", expected ${imageSetNames.join(", ")}; ${mend}`);
  }
  refuseFolderOptions(spec);
  return conform(openers[spec.name](spec), spec);
}

const ofFolders = ["crop", "resize", "stream", "memory"] as const;

function refuseFolderOptions(spec: ImageSetSpec): void {
  const given = ofFolders.find((key) => spec[key] !== undefined);
  if (given === undefined || spec.name === "folder") return;
  throw new UsageError(
    `data: got ${given} ${spec[given]} for "${spec.name}", expected it for a folder of images only; take it out`,
  );
}

function requirePath({ name, path }: ImageSetSpec): string {
  if (path !== undefined) return path;
  throw new UsageError(
    `data: got "${name}" without a path, expected the folder of its files; ` +
      `give path, or use the built-in "digits"`,
  );
}

const shortened = (set: ImageSet, { count }: ImageSetSpec) => (count === undefined ? set : first(set, count));
