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

const lossParams = { samples: "u32", sampleSize: "u32", segments: "u32", power: "f32" } as const;
const lossLib = [...math, `fn weight(s: f32) -> f32 { return exp_(p.power * log_(s)); }`];

/** Partial sums [samples, segments] of sigma^power / 2 |score + z / sigma|^2. */
export const dsmLoss = defineKernel({
  name: "dsm_loss",
  bindings: { score: "read f32", z: "read f32", sigma: "read f32", loss: "read_write f32" },
  params: lossParams,
  lib: lossLib,
  variants: [{}],
  main: () => `
    ${linearMain(64)}
      if (thread >= p.samples * p.segments) { return; }
      let sample = thread / p.segments;
      let size = (p.sampleSize + p.segments - 1u) / p.segments;
      let first = (thread % p.segments) * size;
      let s = sigma[sample];
      var total = 0.0;
      for (var e = first; e < min(first + size, p.sampleSize); e++) {
        let d = score[sample * p.sampleSize + e] + z[sample * p.sampleSize + e] / s;
        total += d * d;
      }
      loss[thread] = 0.5 * total * weight(s);
    }`,
  dispatch: ({ samples, segments }) => linearGroups(samples * segments, 64),
  cost: ({ samples, sampleSize }) => ({ bytes: 8 * samples * sampleSize, flops: 4 * samples * sampleSize }),
});

/** dscore = dloss [samples] sigma^power (score + z / sigma). */
export const dsmLossGrad = defineKernel({
  name: "dsm_loss_grad",
  bindings: {
    score: "read f32",
    z: "read f32",
    sigma: "read f32",
    dloss: "read f32",
    dscore: "read_write f32",
  },
  params: { samples: "u32", sampleSize: "u32", power: "f32" },
  lib: lossLib,
  variants: [{}],
  main: () => `
    ${linearMain(64)}
      if (thread >= p.samples * p.sampleSize) { return; }
      let sample = thread / p.sampleSize;
      let s = sigma[sample];
      dscore[thread] = dloss[sample] * weight(s) * (score[thread] + z[thread] / s);
    }`,
  dispatch: ({ samples, sampleSize }) => linearGroups(samples * sampleSize, 64),
  cost: ({ samples, sampleSize }) => ({ bytes: 12 * samples * sampleSize, flops: 4 * samples * sampleSize }),
});
