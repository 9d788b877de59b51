import { meet, sumOf } from "./folds.ts";
import { defineKernel, type Hardware, linearGroups, linearMain } from "./kernel.ts";
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

type DsmLossVariant = {
  /** Who adds up a segment: a thread, for CPU drivers, or 64 side by side that meet in a tree. */
  by: "thread" | "group";
  vec: boolean;
};
/** Elements of a segment: short chains of a thread's own, and enough of them for every core. */
const SEGMENT = { thread: 256, group: 4096 } as const;

/** How a sample of so many elements is added up. */
export function dsmLossVariant({ kind }: Hardware, sampleSize: number): DsmLossVariant {
  return { by: kind === "cpu" ? "thread" : "group", vec: sampleSize % 4 === 0 };
}

/** Segments of such a sample. */
export const dsmLossSegments = (sampleSize: number, { by }: DsmLossVariant): number =>
  Math.max(1, Math.ceil(sampleSize / SEGMENT[by]));

/** Partial sums [samples, segments] of sigma^power / 2 |score + z / sigma|^2. */
export const dsmLoss = defineKernel({
  name: "dsm_loss",
  bindings: ({ vec }: DsmLossVariant) =>
    ({
      score: `read ${elementType(vec)}`,
      z: `read ${elementType(vec)}`,
      sigma: "read f32",
      loss: "read_write f32",
    }) as const,
  params: { samples: "u32", sampleSize: "u32", segments: "u32", power: "f32" },
  lib: ({ vec }) => [...weight, sumOf(vec)],
  variants: (["thread", "group"] as const).flatMap((by) =>
    [false, true].map((vec): DsmLossVariant => ({ by, vec })),
  ),
  main: (v) => (v.by === "thread" ? lossByThread(v) : lossByGroup(v)),
  dispatch: ({ samples, segments }, { by }) => linearGroups(samples * segments, by === "thread" ? 64 : 1),
  cost: ({ samples, sampleSize }) => ({ bytes: 8 * samples * sampleSize, flops: 4 * samples * sampleSize }),
});

/** The segment `index`: elements, or vec4s, `first` up to `last` of `sample`. */
const segment = ({ vec }: DsmLossVariant, index: string) => `
      let sample = ${index} / p.segments;
      let length = p.sampleSize${vec ? " / 4u" : ""};
      let size = (length + p.segments - 1u) / p.segments;
      let first = (${index} % p.segments) * size;
      let last = min(first + size, length);
      let s = sigma[sample];
      var squares = ${elementType(vec)}();`;
const addSquare = `
        let d = score[sample * length + e] + z[sample * length + e] / s;
        squares += d * d;`;

const lossByThread = (v: DsmLossVariant) => `
    ${linearMain(64)}
      if (thread >= p.samples * p.segments) { return; }
      ${segment(v, "thread")}
      for (var e = first; e < last; e++) {${addSquare}
      }
      loss[thread] = 0.5 * sum(squares) * weight(s);
    }`;

const lossByGroup = (v: DsmLossVariant) => `
    var<workgroup> part: array<f32, 64>;
    ${linearMain(64)}
      let safe = min(group, p.samples * p.segments - 1u);
      ${segment(v, "safe")}
      for (var e = first + lane; e < last; e += 64u) {${addSquare}
      }
      var total = sum(squares);
      ${meet(v, "total")}
      if (lane == 0u) { loss[safe] = 0.5 * total * weight(s); }
    }`;

/** dscore = share dloss sigma^power (score + z / sigma), dloss one number. */
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
  params: { samples: "u32", sampleSize: "u32", power: "f32", share: "f32" },
  lib: weight,
  variants: runVariants,
  main: (v) =>
    forEachInRow(v, {
      rows: "p.samples",
      columns: "p.sampleSize",
      once: "let s = sigma[row]; let w = (p.share * dloss[0]) * weight(s);",
      body: "dscore[at] = w * (score[at] + z[at] / s);",
    }),
  dispatch: ({ samples, sampleSize }, v) => rowGroups(samples, sampleSize, v),
  cost: ({ samples, sampleSize }) => ({ bytes: 12 * samples * sampleSize, flops: 4 * samples * sampleSize }),
});
