import type { Hardware } from "./kernel.ts";

/*
 * How attention is computed:
 *
 * | way      | memory          | work                                                     | taken                         |
 * | -------- | --------------- | -------------------------------------------------------- | ----------------------------- |
 * | products | weights, t x s  | matrix products by their own kernels, a pass in between  | where a sample's weights fit  |
 * | flash    | nothing         | a thread for each position walks all the others          | beyond                        |
 */
export type AttentionWay =
  | { kernel: "flash" }
  | {
      kernel: "products";
      /** Threads for each query's softmax: see attention-weights.ts. */
      slices: number;
    };

/** Bytes of weights in memory at once: samples beyond come in turns. What a GPU's cache holds is a part of it. */
export const MOST_WEIGHTS = 64 * 2 ** 20;

/** Queries and keys of a sample. */
interface Pairs {
  readonly t: number;
  readonly s: number;
}

const weightBytes = ({ t, s }: Pairs): number => 4 * t * s;

/** How many samples' weights may be in memory at once. */
export const samplesAtOnce = (hw: Hardware, pairs: Pairs): number =>
  Math.floor(Math.min(MOST_WEIGHTS, hw.maxBinding) / weightBytes(pairs));

const slicesOf = (hw: Hardware): number => (hw.kind === "cpu" ? 1 : 8);

/** How many samples there are does not count: a sample's numbers may not depend on the batch around it. */
export const attentionWay = (hw: Hardware, pairs: Pairs): AttentionWay =>
  samplesAtOnce(hw, pairs) > 0 ? { kernel: "products", slices: slicesOf(hw) } : { kernel: "flash" };

/** What is worth measuring. */
export function attentionWays(hw: Hardware, pairs: Pairs): AttentionWay[] {
  const slices = hw.kind === "cpu" ? [1] : [4, 8];
  const products = slices.map((each): AttentionWay => ({ kernel: "products", slices: each }));
  return [{ kernel: "flash" }, ...(samplesAtOnce(hw, pairs) > 0 ? products : [])];
}
