import { sumOf } from "./folds.ts";
import { defineKernel, linearGroups, linearMain } from "./kernel.ts";
import { math } from "./lib/math.ts";
import {
  type BlockVariant,
  blockGroups,
  blockType,
  blockVariants,
  drawLib,
  drawParams,
  forEachBlock,
} from "./random.ts";
import { elementType, forEachInRow, type RunVariant, rowGroups, runVariants } from "./runs.ts";

/** noisy = x + sigma z with z ~ N(0, I) drawn here and kept for the loss. sigma [samples]; the rest [samples, sampleSize]. */
export const dsmPerturb = defineKernel({
  name: "dsm_perturb",
  bindings: (v: BlockVariant) =>
    ({
      x: `read ${blockType(v)}`,
      sigma: "read f32",
      noisy: `read_write ${blockType(v)}`,
      zs: `read_write ${blockType(v)}`,
    }) as const,
  params: drawParams,
  lib: drawLib,
  variants: blockVariants,
  main: (v) =>
    forEachBlock(
      v,
      "normal4(words(block, sample))",
      (at, draw) => `zs[${at}] = ${draw}; noisy[${at}] = x[${at}] + s * ${draw};`,
      "let s = sigma[sample];",
    ),
  dispatch: (p, v) => blockGroups(p, v),
  cost: ({ samples, sampleSize }) => ({ bytes: 12 * samples * sampleSize, flops: 2 * samples * sampleSize }),
});

const weight = [...math, "fn weight(s: f32) -> f32 { return exp_(p.power * log_(s)); }"];

/** Partial sums [samples, segments] of sigma^power / 2 |score + z / sigma|^2. */
export const dsmLoss = defineKernel({
  name: "dsm_loss",
  bindings: ({ vec }: { vec: boolean }) =>
    ({
      score: `read ${elementType(vec)}`,
      z: `read ${elementType(vec)}`,
      sigma: "read f32",
      loss: "read_write f32",
    }) as const,
  params: { samples: "u32", sampleSize: "u32", segments: "u32", power: "f32" },
  lib: ({ vec }) => [...weight, sumOf(vec)],
  variants: [{ vec: false }, { vec: true }],
  main: ({ vec }) => `
    ${linearMain(64)}
      if (thread >= p.samples * p.segments) { return; }
      let sample = thread / p.segments;
      let length = p.sampleSize${vec ? " / 4u" : ""};
      let size = (length + p.segments - 1u) / p.segments;
      let first = (thread % p.segments) * size;
      let s = sigma[sample];
      var squares = ${elementType(vec)}();
      for (var e = first; e < min(first + size, length); e++) {
        let d = score[sample * length + e] + z[sample * length + e] / s;
        squares += d * d;
      }
      loss[thread] = 0.5 * sum(squares) * weight(s);
    }`,
  dispatch: ({ samples, segments }) => linearGroups(samples * segments, 64),
  cost: ({ samples, sampleSize }) => ({ bytes: 8 * samples * sampleSize, flops: 4 * samples * sampleSize }),
});

/** dscore = dloss [samples] sigma^power (score + z / sigma). */
export const dsmLossGrad = defineKernel({
  name: "dsm_loss_grad",
  bindings: ({ vec }: RunVariant) =>
    ({
      score: `read ${elementType(vec)}`,
      z: `read ${elementType(vec)}`,
      sigma: "read f32",
      dloss: "read f32",
      dscore: `read_write ${elementType(vec)}`,
    }) as const,
  params: { samples: "u32", sampleSize: "u32", power: "f32" },
  lib: weight,
  variants: runVariants,
  main: (v) =>
    forEachInRow(v, {
      rows: "p.samples",
      columns: "p.sampleSize",
      once: "let s = sigma[row]; let w = dloss[row] * weight(s);",
      body: "dscore[at] = w * (score[at] + z[at] / s);",
    }),
  dispatch: ({ samples, sampleSize }, v) => rowGroups(samples, sampleSize, v),
  cost: ({ samples, sampleSize }) => ({ bytes: 12 * samples * sampleSize, flops: 4 * samples * sampleSize }),
});
