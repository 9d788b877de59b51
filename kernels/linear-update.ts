import { type Binding, defineKernel } from "./kernel.ts";
import {
  type BlockVariant,
  blockGroups,
  blockType,
  blockVariants,
  drawLib,
  drawParams,
  forEachBlock,
} from "./random.ts";

/** unit: the score's coefficient is multiplied by u, the noise's by sqrt(u). */
export type UpdateVariant = BlockVariant & { unit: boolean };

/**
 * x <- keep x + pull score + noise z in place, z ~ N(0, I) drawn in the kernel, the same draw as randomFill with the
 * same numbers: 12 bytes an element and no noise in memory. Every step of a Langevin chain and of a linear SDE is one.
 * A Langevin step of size e has pull e and noise sqrt(2 e): `unit` holds a factor of e that was measured on the device, one
 * for all samples (unitPitch 0) or one for each (1).
 */
export const linearUpdate = defineKernel({
  name: "linear_update",
  bindings: (v: UpdateVariant) =>
    ({
      score: `read ${blockType(v)}`,
      x: `read_write ${blockType(v)}`,
      ...(v.unit && { unit: "read f32" }),
    }) as Record<"score" | "x" | "unit", Binding>,
  params: { ...drawParams, keep: "f32", pull: "f32", noise: "f32", unitPitch: "u32" },
  lib: drawLib,
  variants: blockVariants.flatMap((v) => [false, true].map((unit): UpdateVariant => ({ ...v, unit }))),
  main: (v) =>
    forEachBlock(
      v,
      "normal4(words(block, sample))",
      (at, z) => `x[${at}] = p.keep * x[${at}] + (pull * score[${at}] + noise * ${z});`,
      v.unit
        ? "let u = unit[sample * p.unitPitch]; let pull = p.pull * u; let noise = p.noise * sqrt(u);"
        : "let pull = p.pull; let noise = p.noise;",
    ),
  dispatch: (p, v) => blockGroups(p, v),
  cost: ({ samples, sampleSize }) => ({ bytes: 12 * samples * sampleSize, flops: 5 * samples * sampleSize }),
});
