import { type Binding, defineKernel } from "./kernel.ts";
import {
  type BlockVariant,
  blockGroups,
  blockType,
  blockVariants,
  drawLib,
  drawnLanes,
  drawParams,
  forEachBlock,
} from "./random.ts";

type UpdateVariant = BlockVariant & {
  /** The score's coefficient is multiplied by u, the noise's by sqrt(u). */
  unit: boolean;
  /** Without, there is no noise and nothing is drawn. */
  draws: boolean;
};

/** The update of what stands at `x`. */
export const updated = (
  x: string,
  score: string,
  z: string | undefined,
  pull = "pull",
  noise = "noise",
): string =>
  `p.keep * ${x} + ${z === undefined ? `${pull} * ${score}` : `(${pull} * ${score} + ${noise} * ${z})`}`;

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
  lib: ({ draws }) => (draws ? drawLib : []),
  variants: blockVariants.flatMap((v) =>
    [true, false].flatMap((draws) => [false, true].map((unit): UpdateVariant => ({ ...v, unit, draws }))),
  ),
  main: (v) =>
    forEachBlock(
      v,
      v.draws ? "normal4(words(block, sample))" : undefined,
      (at, z) => `x[${at}] = ${updated(`x[${at}]`, `score[${at}]`, v.draws ? z : undefined)};`,
      v.unit
        ? "let u = unit[sample * p.unitPitch]; let pull = p.pull * u; let noise = p.noise * sqrt(u);"
        : "let pull = p.pull; let noise = p.noise;",
    ),
  dispatch: (p, v) => blockGroups(p, v),
  cost: ({ samples, sampleSize }) => ({ bytes: 12 * samples * sampleSize, flops: 5 * samples * sampleSize }),
  lanewise: ({ vec, unit, draws }) =>
    unit || !vec
      ? undefined
      : {
          inputs: ["score"],
          output: "x",
          inPlace: true,
          lib: draws ? drawnLanes.lib : [],
          expression: updated("x", "score", draws ? "z" : undefined, "p.pull", "p.noise"),
          draw: draws ? drawnLanes.normal : undefined,
        },
});
