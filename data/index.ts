// `stein/data` where there are files. A browser's is ./browser.ts.

export * from "./browser.ts";
export { cifar10 } from "./cifar10.ts";
export { type FolderOptions, imageFolder } from "./image-folder.ts";
export { mnist } from "./mnist.ts";
export { type ImageSetName, type ImageSetSpec, imageSetNames, openImageSet } from "./open-image-set.ts";
