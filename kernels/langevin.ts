import { defineKernel } from "./kernel.ts";
import { blockGroups, drawLib, drawParams, forEachBlock, realLanes } from "./random.ts";

/**
 * x <- x + a score + b z in place, z ~ N(0, I) drawn in the kernel: 12 bytes an element and no noise in memory.
 * The same draw as randomFill with the same numbers. Song & Ermon 2019, algorithm 1: a = alpha / 2, b = sqrt(alpha).
 */
export const langevinStep = defineKernel({
  name: "langevin_step",
  bindings: { score: "read f32", x: "read_write f32" },
  params: { ...drawParams, a: "f32", b: "f32" },
  lib: drawLib,
  variants: [{}],
  main: () =>
    forEachBlock(`let z = normal4(words(block, sample));
    ${realLanes((q) => `x[i + ${q}u] += p.a * score[i + ${q}u] + p.b * z[${q}];`)}`),
  dispatch: (p) => blockGroups(p),
  cost: ({ samples, sampleSize }) => ({ bytes: 12 * samples * sampleSize, flops: 4 * samples * sampleSize }),
});
