import type { ConvAttrs, Pair } from "../../engine/ops/conv-shapes.ts";

export interface ConvCase extends ConvAttrs {
  readonly n: number;
  readonly ci: number;
  readonly co: number;
  readonly size: Pair;
  readonly kernel: Pair;
}

/** A convolution of stride 1 that keeps the size, but for what is given. */
export const convCase = (c: Pick<ConvCase, "n" | "ci" | "co" | "size"> & Partial<ConvCase>): ConvCase => ({
  ...{ kernel: [3, 3], stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1] },
  ...c,
});

/** A window of even width with strides, padding and dilation that differ by side. */
export const lopsided = {
  kernel: [3, 2],
  stride: [2, 3],
  padding: [1, 0, 2, 1],
  dilation: [1, 2],
} as const;

/** What every way to a convolution as one product is tried on: edges of tiles, and padding that crops. */
export const productCases = {
  odd: convCase({ n: 2, ci: 5, co: 9, size: [9, 11] }),
  cropped: convCase({
    ...{ n: 2, ci: 2, co: 3, size: [7, 13] },
    ...{ kernel: [5, 5], stride: [1, 2], padding: [-1, 2, 2, 2] },
  }),
} as const;
