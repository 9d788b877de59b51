/** A file as its publishers offer it. */
export interface SourceFile {
  name: string;
  md5: string;
  bytes: number;
}

export interface Source {
  /** Where the files lie unless told, ending with a slash. */
  from: string;
  files: readonly SourceFile[];
  /** The files an archive unpacks to, in this folder; nothing is unpacked without it. */
  unpacks?: { folder: string; names: readonly string[]; bytes: number };
}

export type SourceName = "mnist" | "cifar10";

/**
 * Sums as torchvision publishes them for MNIST, and https://www.cs.toronto.edu/~kriz/cifar.html for CIFAR-10.
 */
export const sources: Record<SourceName, Source> = {
  mnist: {
    from: "https://ossci-datasets.s3.amazonaws.com/mnist/",
    files: [
      { name: "train-images-idx3-ubyte.gz", md5: "f68b3c2dcbeaaa9fbdd348bbdeb94873", bytes: 9_912_422 },
      { name: "train-labels-idx1-ubyte.gz", md5: "d53e105ee54ea40749a09fcbcd1e9432", bytes: 28_881 },
      { name: "t10k-images-idx3-ubyte.gz", md5: "9fb629c4189551a2d022fa330f9573f3", bytes: 1_648_877 },
      { name: "t10k-labels-idx1-ubyte.gz", md5: "ec29112dd5afa0611ce80d1b7f02629c", bytes: 4_542 },
    ],
  },
  cifar10: {
    from: "https://www.cs.toronto.edu/~kriz/",
    files: [{ name: "cifar-10-binary.tar.gz", md5: "c32a1d4ab5d03f1284b67883e8d87530", bytes: 170_052_171 }],
    unpacks: {
      folder: "cifar-10-batches-bin",
      names: [...[1, 2, 3, 4, 5].map((n) => `data_batch_${n}.bin`), "test_batch.bin"],
      bytes: 30_730_000,
    },
  },
};

export const sourceNames = Object.keys(sources) as SourceName[];

/** The folder that a set is brought to unless told, where the configurations that come with the package look for it. */
export const homeOf = (name: SourceName): string => `datasets/${name}`;
