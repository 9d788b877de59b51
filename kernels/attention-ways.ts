import { type AttentionWeightsVariant, attentionWeights } from "./attention-weights.ts";
import type { Hardware } from "./kernel.ts";

/*
 * How attention is computed:
 *
 * | way      | memory          | work                                                     | taken                         |
 * | -------- | --------------- | -------------------------------------------------------- | ----------------------------- |
 * | products | weights, t x s  | matrix products by their own kernels, a pass in between  | where a sample's weights fit  |
 * | flash    | nothing         | a thread for each position walks all the others          | beyond                        |
 */
export type AttentionWay = { kernel: "flash" } | ({ kernel: "products" } & AttentionWeightsVariant);

/** Bytes of weights in memory at once: samples beyond come in turns. What a GPU's cache holds is a part of it. */
const MOST_WEIGHTS = 64 * 2 ** 20;

/** Queries and keys of a sample. */
interface Pairs {
  readonly t: number;
  readonly s: number;
}

const weightBytes = ({ t, s }: Pairs): number => 4 * t * s;

/** How many samples' weights may be in memory at once. */
export const samplesAtOnce = (hw: Hardware, pairs: Pairs): number =>
  Math.floor(Math.min(MOST_WEIGHTS, hw.maxBinding) / weightBytes(pairs));

/** How many samples there are does not count: a sample's numbers may not depend on the batch around it. */
export function attentionWay(hw: Hardware, pairs: Pairs): AttentionWay {
  if (samplesAtOnce(hw, pairs) === 0) return { kernel: "flash" };
  return hw.kind === "cpu"
    ? { kernel: "products", slices: 1, vec: pairs.t % 4 === 0 }
    : { kernel: "products", slices: 8, vec: false };
}

interface Problem extends Pairs {
  readonly channels: number;
}

/** Channels of a position, twice or more, that a GPU's thread can hold in registers. */
const MOST_CHANNELS = 128;

/** What is worth measuring: not flash where a GPU would spill a position's channels, and be long about compiling that. */
export function attentionWays(hw: Hardware, problem: Problem): AttentionWay[] {
  const fits = samplesAtOnce(hw, problem) > 0;
  const products = attentionWeights.variants.filter(
    ({ slices, vec }) => fits && (slices === 1) === (hw.kind === "cpu") && (!vec || problem.t % 4 === 0),
  );
  const spills = hw.kind === "gpu" && problem.channels > MOST_CHANNELS;
  const flash: AttentionWay[] = fits && spills ? [] : [{ kernel: "flash" }];
  return [...flash, ...products.map((v): AttentionWay => ({ kernel: "products", ...v }))];
}

/** How its gradients are computed: without a softmax. */
export type AttentionGradWay = { kernel: AttentionWay["kernel"] };
export const attentionGradWay = (hw: Hardware, pairs: Pairs): AttentionGradWay => {
  const { kernel } = attentionWay(hw, pairs);
  return { kernel };
};

export const attentionGradWays = (hw: Hardware, problem: Problem): AttentionGradWay[] => {
  const kernels = new Set(attentionWays(hw, problem).map(({ kernel }) => kernel));
  return [...kernels].map((kernel) => ({ kernel }));
};
