import { meet } from "./folds.ts";
import { defineKernel, type Hardware, linearGroups, linearMain, unroll } from "./kernel.ts";
import { drawLib, drawParams } from "./random.ts";

/**
 * "thread": a thread walks a whole segment, for CPU drivers; "group": 64 threads share one and meet in a tree.
 * vec: blocks are vec4s of the score, as in `BlockVariant`.
 */
type NormVariant = { by: "thread" | "group"; vec: boolean };

/**
 * sums [samples, segments, 2]: |z|^2 and |score|^2 of each segment of each sample, z ~ N(0, I) drawn in the kernel and
 * kept nowhere, the same draw as randomFill with the same numbers.
 */
export const drawnNorms = defineKernel({
  name: "drawn_norms",
  bindings: ({ vec }: NormVariant) =>
    ({ score: vec ? "read vec4f" : "read f32", sums: "read_write f32" }) as const,
  params: { ...drawParams, segments: "u32" },
  lib: drawLib,
  variants: (["thread", "group"] as const).flatMap((by) =>
    [true, false].map((vec): NormVariant => ({ by, vec })),
  ),
  main: ({ by, vec }) => `
    fn squares(block: u32, sample: u32) -> vec2f {
      var z = normal4(words(block, sample));
      ${vec ? "let s = score[sample * (p.sampleSize / 4u) + block];" : realElements}
      return vec2f(dot(z, z), dot(s, s));
    }
    ${by === "thread" ? byThread : byGroup}`,
  dispatch: ({ samples, segments }, { by }) => linearGroups(samples * segments, by === "thread" ? 64 : 1),
  cost: ({ samples, sampleSize }) => ({ bytes: 4 * samples * sampleSize, flops: 4 * samples * sampleSize }),
});

const realElements = `
      let i = sample * p.sampleSize + block * 4u;
      let left = p.sampleSize - block * 4u;
      var s = vec4f(score[i], 0.0, 0.0, 0.0);
      ${unroll(3, (k) => `if (left > ${k + 1}u) { s[${k + 1}] = score[i + ${k + 1}u]; } else { z[${k + 1}] = 0.0; }`)}`;

const segment = (index: string) => `
      let blocks = (p.sampleSize + 3u) / 4u;
      let size = (blocks + p.segments - 1u) / p.segments;
      let sample = ${index} / p.segments;
      let first = (${index} % p.segments) * size;
      let last = min(first + size, blocks);
      var total = vec2f();`;

const byThread = `
    ${linearMain(64)}
      if (thread >= p.samples * p.segments) { return; }
      ${segment("thread")}
      for (var block = first; block < last; block++) { total += squares(block, sample); }
      sums[2u * thread] = total.x;
      sums[2u * thread + 1u] = total.y;
    }`;

const byGroup = `
    var<workgroup> part: array<vec2f, 64>;
    ${linearMain(64)}
      let safe = min(group, p.samples * p.segments - 1u);
      ${segment("safe")}
      for (var block = first + lane; block < last; block += 64u) { total += squares(block, sample); }
      ${meet({ by: "group" }, "total")}
      if (lane == 0u) {
        sums[2u * safe] = total.x;
        sums[2u * safe + 1u] = total.y;
      }
    }`;

type RatioVariant = {
  /** "batch": one ratio of the means over all samples; "sample": one for each, which knows nothing of the others. */
  over: "batch" | "sample";
  /** Who adds up a sample's segments: a thread, or 64 side by side, for a batch in `sampleNorms` before. */
  by: "thread" | "group";
};

/** Sums that a GPU's thread takes one after the other, and those of a batch that are not worth a second launch. */
const FEW = { sample: 8, batch: 512 };

/** How so many sums are joined. How many samples there are does not count where each has its own. */
export function ratioVariant(
  { kind }: Hardware,
  over: RatioVariant["over"],
  { samples, segments }: { samples: number; segments: number },
): RatioVariant {
  const sums = over === "sample" ? segments : samples * segments;
  return { over, by: kind === "gpu" && sums > FEW[over] ? "group" : "thread" };
}

/** norms [samples, 2]: |z| and |score| of each sample, from what `drawnNorms` leaves. */
export const sampleNorms = defineKernel({
  name: "sample_norms",
  bindings: { sums: "read f32", norms: "read_write f32" },
  params: { samples: "u32", segments: "u32" },
  variants: [{}],
  main: () => ofSample("norms[2u * sample] = sqrt(total.x); norms[2u * sample + 1u] = sqrt(total.y);"),
  dispatch: ({ samples }) => linearGroups(samples, 1),
  cost: ({ samples, segments }) => ({ bytes: 8 * samples * (segments + 1), flops: 2 * samples * segments }),
});

/**
 * ratio [1] = (mean |z| / mean |score|)^2 over the samples, or ratio [samples] = (|z| / |score|)^2 of each, from what
 * `drawnNorms` leaves; that of a batch by a workgroup from what `sampleNorms` leaves.
 */
export const normRatio = defineKernel({
  name: "norm_ratio",
  bindings: { sums: "read f32", ratio: "read_write f32" },
  params: { samples: "u32", segments: "u32" },
  variants: (["thread", "group"] as const).flatMap((by) =>
    (["batch", "sample"] as const).map((over): RatioVariant => ({ over, by })),
  ),
  main: ({ over, by }) =>
    over === "batch"
      ? ofMeans(by)
      : by === "thread"
        ? ofEach
        : ofSample("ratio[sample] = total.x / total.y;"),
  dispatch: ({ samples }, { over, by }) =>
    over === "batch" ? [1, 1, 1] : linearGroups(samples, by === "thread" ? 64 : 1),
  cost: ({ samples, segments }) => ({ bytes: 8 * samples * segments, flops: 2 * samples * segments }),
});

/** 64 threads for a sample, whose sums are `total` at the end. A surplus workgroup repeats the last. */
const ofSample = (result: string) => `
    var<workgroup> part: array<vec2f, 64>;
    ${linearMain(64)}
      let sample = min(group, p.samples - 1u);
      var total = vec2f();
      for (var i = sample * p.segments + lane; i < (sample + 1u) * p.segments; i += 64u) {
        total += vec2f(sums[2u * i], sums[2u * i + 1u]);
      }
      ${meet({ by: "group" }, "total")}
      if (lane == 0u) { ${result} }
    }`;

/** Threads that take the means of a batch. */
const THREADS = { thread: 64, group: 256 } as const;

/** `squares` of the sample that is known. */
const squares = `
        var squares = vec2f();
        for (var i = sample * p.segments; i < (sample + 1u) * p.segments; i++) {
          squares += vec2f(sums[2u * i], sums[2u * i + 1u]);
        }`;

const ofMeans = (by: RatioVariant["by"]) => `
    var<workgroup> part: array<vec2f, ${THREADS[by]}>;
    @compute @workgroup_size(${THREADS[by]})
    fn main(@builtin(local_invocation_index) lane: u32) {
      var norms = vec2f();
      for (var sample = lane; sample < p.samples; sample += ${THREADS[by]}u) {
        ${
          by === "thread"
            ? `${squares.trim()}
        norms += sqrt(squares);`
            : "norms += vec2f(sums[2u * sample], sums[2u * sample + 1u]);"
        }
      }
      ${meet({ by: "group" }, "norms", "sum", THREADS[by])}
      if (lane == 0u) {
        let q = norms.x / norms.y;
        ratio[0] = q * q;
      }
    }`;

const ofEach = `
    ${linearMain(64)}
      let sample = thread;
      if (sample >= p.samples) { return; }
      ${squares.trim()}
      ratio[sample] = squares.x / squares.y;
    }`;
