// What needs no file system: all of `stein/data` in a browser.

export { type Augmentation, augment } from "./augment.ts";
export { conform } from "./conform.ts";
export { first, type ImageSet, imageSize, order, split, subset, toBatch } from "./dataset.ts";
export { digits } from "./digits.ts";
export { type Bytes, cifar10FromBytes, imagesFromBytes, mnistFromBytes } from "./from-bytes.ts";
export { lookAhead } from "./look-ahead.ts";
export { type Component, type Mixture, mixture } from "./mixture.ts";
export type { Preparation } from "./prepare.ts";
export { type Random, random } from "./random.ts";
export { type FilterName, filterNames } from "./resize.ts";
export {
  checkerboard,
  eightGaussians,
  rings,
  swissRoll,
  type Toy,
  type ToyName,
  toys,
  twoGaussians,
} from "./toys.ts";
