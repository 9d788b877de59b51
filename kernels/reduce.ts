import { defineKernel, linearGroups, linearMain } from "./kernel.ts";
import { bits } from "./lib/math.ts";

export type ReduceName = "sum" | "sumSquares" | "max" | "min";
/**
 * "thread": a thread walks a whole segment; wins on CPU drivers, where barriers are dear.
 * "group": 64 threads share a segment and meet in a tree; coalesced, for GPUs and for few outputs.
 */
export type ReduceVariant = { op: ReduceName; by: "thread" | "group" };

/** What a chain starts with; an extreme with a value of its own, so that the largest of infinities is one. */
const own = "x[base + first * p.inner]";
const start = { sum: "0.0", sumSquares: "0.0", max: own, min: own };
const map = { sum: "v", sumSquares: "v * v", max: "v", min: "v" };
const join = {
  sum: "a + b",
  sumSquares: "a + b",
  max: "select(select(b, a, a > b), a, is_nan(a))",
  min: "select(select(b, a, a < b), a, is_nan(a))",
};
const ops = Object.keys(start) as ReduceName[];

/**
 * x [outer, length, inner] -> y [outer, segments, inner]: each segment of ceil(length / segments) neighbours is
 * joined, and scaled. Long axes take two launches, so that float32 sums stay trees of short chains.
 */
export const reduce = defineKernel({
  name: "reduce",
  bindings: { x: "read f32", y: "read_write f32" },
  params: { outer: "u32", length: "u32", inner: "u32", segments: "u32", scale: "f32" },
  lib: [bits],
  variants: ops.flatMap((op) => (["thread", "group"] as const).map((by): ReduceVariant => ({ op, by }))),
  main: (v: ReduceVariant) => `
    fn join(a: f32, b: f32) -> f32 { return ${join[v.op]}; }
    fn mapped(v: f32) -> f32 { return ${map[v.op]}; }
    ${v.by === "thread" ? byThread(v.op) : byGroup(v.op)}`,
  dispatch: ({ outer, inner, segments }, v) =>
    linearGroups(outer * segments * inner, v.by === "thread" ? 64 : 1),
  cost: ({ outer, length, inner, segments }) => ({
    bytes: 4 * outer * inner * (length + segments),
    flops: outer * length * inner,
  }),
});

const segment = (index: string) => `
      let at = ${index} % p.inner;
      let o = ${index} / p.inner;
      let size = (p.length + p.segments - 1u) / p.segments;
      let first = (o % p.segments) * size;
      let last = min(first + size, p.length);
      let base = (o / p.segments) * p.length * p.inner + at;`;

const byThread = (op: ReduceName) => `
    ${linearMain(64)}
      if (thread >= p.outer * p.segments * p.inner) { return; }
      ${segment("thread")}
      var even = ${start[op]};
      var odd = ${start[op]};
      var i = first;
      for (; i + 1u < last; i += 2u) {
        even = join(even, mapped(x[base + i * p.inner]));
        odd = join(odd, mapped(x[base + (i + 1u) * p.inner]));
      }
      if (i < last) { even = join(even, mapped(x[base + i * p.inner])); }
      y[thread] = join(even, odd) * p.scale;
    }`;

const byGroup = (op: ReduceName) => `
    var<workgroup> part: array<f32, 64>;
    ${linearMain(64)}
      let safe = min(group, p.outer * p.segments * p.inner - 1u);
      ${segment("safe")}
      var total = ${start[op]};
      for (var i = first + lane; i < last; i += 64u) { total = join(total, mapped(x[base + i * p.inner])); }
      part[lane] = total;
      for (var half = 32u; half > 0u; half = half / 2u) {
        workgroupBarrier();
        if (lane < half) { part[lane] = join(part[lane], part[lane + half]); }
      }
      if (lane == 0u) { y[safe] = part[0] * p.scale; }
    }`;
