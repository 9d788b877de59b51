import { defineKernel } from "./kernel.ts";
import {
  type BlockVariant,
  blockGroups,
  blockType,
  blockVariants,
  drawLib,
  drawParams,
  forEachBlock,
} from "./random.ts";

/**
 * x <- x + a score + b z in place, z ~ N(0, I) drawn in the kernel: 12 bytes an element and no noise in memory.
 * The same draw as randomFill with the same numbers. Song & Ermon 2019, algorithm 1: a = alpha / 2, b = sqrt(alpha).
 */
export const langevinStep = defineKernel({
  name: "langevin_step",
  bindings: (v: BlockVariant) =>
    ({ score: `read ${blockType(v)}`, x: `read_write ${blockType(v)}` }) as const,
  params: { ...drawParams, a: "f32", b: "f32" },
  lib: drawLib,
  variants: blockVariants,
  main: (v) =>
    forEachBlock(
      v,
      "normal4(words(block, sample))",
      (at, z) => `x[${at}] += p.a * score[${at}] + p.b * ${z};`,
    ),
  dispatch: (p, v) => blockGroups(p, v),
  cost: ({ samples, sampleSize }) => ({ bytes: 12 * samples * sampleSize, flops: 4 * samples * sampleSize }),
});
