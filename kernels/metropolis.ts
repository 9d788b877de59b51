import { defineKernel } from "./kernel.ts";
import { bits } from "./lib/math.ts";
import { blockGroups, blockType, blockVariants, drawLib, drawParams, forEachBlock } from "./random.ts";

/**
 * Metropolis' rule: the samples of x [samples, sampleSize] become those of y with probability min(1, exp(logRatio)),
 * one uniform number for each, drawn in the kernel: log u <= logRatio with u on (0, 1]. Calls with the same draw decide
 * alike, whatever the sizes of the tensors. A ratio of NaN refuses, and what is refused is not read.
 */
export const metropolis = defineKernel({
  name: "metropolis",
  bindings: (v) =>
    ({ y: `read ${blockType(v)}`, logRatio: "read f32", x: `read_write ${blockType(v)}` }) as const,
  params: drawParams,
  lib: [
    ...drawLib,
    bits,
    `fn accepts(sample: u32) -> bool {
      let u = f32((words(0u, sample).x >> 8u) + 1u) * 5.9604644775390625e-8;
      return !is_nan(logRatio[sample]) && log_unit(u) <= logRatio[sample];
    }`,
  ],
  variants: blockVariants,
  main: (v) => forEachBlock(v, "accepts(sample)", (at) => `if (z) { x[${at}] = y[${at}]; }`),
  dispatch: (p, v) => blockGroups(p, v),
  cost: ({ samples, sampleSize }) => ({ bytes: 8 * samples * sampleSize + 4 * samples, flops: 0 }),
});
