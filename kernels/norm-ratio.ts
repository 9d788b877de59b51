import { defineKernel, linearGroups, linearMain, unroll } from "./kernel.ts";
import { drawLib, drawParams } from "./random.ts";

/**
 * "thread": a thread walks a whole segment, for CPU drivers; "group": 64 threads share one and meet in a tree.
 * vec: blocks are vec4s of the score, as in `BlockVariant`.
 */
export type NormVariant = { by: "thread" | "group"; vec: boolean };

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

/** part[0] becomes the sum of the threads' values. */
const meet = (value: string) => `
      part[lane] = ${value};
      for (var half = 32u; half > 0u; half = half / 2u) {
        workgroupBarrier();
        if (lane < half) { part[lane] += part[lane + half]; }
      }`;

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
      ${meet("total")}
      if (lane == 0u) {
        sums[2u * safe] = part[0].x;
        sums[2u * safe + 1u] = part[0].y;
      }
    }`;

/** "batch": one ratio of the means over all samples; "sample": one for each, which knows nothing of the others. */
export type RatioVariant = { over: "batch" | "sample" };

/**
 * ratio [1] = (mean |z| / mean |score|)^2 over the samples, or ratio [samples] = (|z| / |score|)^2 of each, from what
 * `drawnNorms` leaves.
 */
export const normRatio = defineKernel({
  name: "norm_ratio",
  bindings: { sums: "read f32", ratio: "read_write f32" },
  params: { samples: "u32", segments: "u32" },
  variants: [{ over: "batch" }, { over: "sample" }] as RatioVariant[],
  main: ({ over }) => (over === "batch" ? ofMeans : ofEach),
  dispatch: ({ samples }, { over }) => (over === "batch" ? [1, 1, 1] : linearGroups(samples, 64)),
  cost: ({ samples, segments }) => ({ bytes: 8 * samples * segments, flops: 2 * samples * segments }),
});

/** `squares` of the sample that is known. */
const squares = `
        var squares = vec2f();
        for (var i = sample * p.segments; i < (sample + 1u) * p.segments; i++) {
          squares += vec2f(sums[2u * i], sums[2u * i + 1u]);
        }`;

const ofMeans = `
    var<workgroup> part: array<vec2f, 64>;
    @compute @workgroup_size(64)
    fn main(@builtin(local_invocation_index) lane: u32) {
      var norms = vec2f();
      for (var sample = lane; sample < p.samples; sample += 64u) {
        ${squares.trim()}
        norms += sqrt(squares);
      }
      ${meet("norms")}
      if (lane == 0u) {
        let q = part[0].x / part[0].y;
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
