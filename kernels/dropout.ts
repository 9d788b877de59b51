import { defineKernel } from "./kernel.ts";
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

/** y = x gain where a uniform draw is at least `rate`, else 0; the mask is drawn here and never stored. */
export const dropout = defineKernel({
  name: "dropout",
  bindings: (v: BlockVariant) => ({ x: `read ${blockType(v)}`, y: `read_write ${blockType(v)}` }) as const,
  params: { ...drawParams, rate: "f32", gain: "f32" },
  lib: drawLib,
  variants: blockVariants,
  main: (v) => {
    const type = blockType(v);
    return forEachBlock(
      v,
      "uniform4(words(block, sample))",
      (at, u) => `y[${at}] = select(${type}(), x[${at}] * p.gain, ${u} >= ${type}(p.rate));`,
    );
  },
  dispatch: (p, v) => blockGroups(p, v),
  cost: ({ samples, sampleSize }) => ({ bytes: 8 * samples * sampleSize, flops: samples * sampleSize }),
  lanewise: ({ vec }) =>
    vec
      ? {
          inputs: ["x"],
          output: "y",
          lib: drawnLanes.lib,
          expression: "select(0.0, x * p.gain, z >= p.rate)",
          draw: drawnLanes.uniform,
        }
      : undefined,
});
