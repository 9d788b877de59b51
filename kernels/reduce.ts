import { defineKernel, type Hardware, linearGroups, linearMain } from "./kernel.ts";
import { bits } from "./lib/math.ts";
import { elementType } from "./runs.ts";

export type ReduceName = "sum" | "max" | "min";
export type ReduceVariant = {
  op: ReduceName;
  /**
   * Who walks a segment. For CPU drivers, where barriers are dear, one thread: "thread" element by element, "along" by
   * vec4s of the axis (inner is 1 and the length a multiple of 4), "across" with four neighbouring results at once
   * (inner is a multiple of 4). For GPUs 64 threads that meet in a tree: "group" element by element, "wide" by vec4s of the
   * axis; or, where it is short, "eights": eight of them, by vec4s.
   */
  by: "thread" | "along" | "across" | "group" | "wide" | "eights";
};

/** What a chain starts with; an extreme with a value of its own, so that the largest of infinities is one. */
const own = "x[base + first * inner]";
const start = { sum: "", max: own, min: own };
const join = {
  sum: "a + b",
  max: "select(select(b, a, a > b), a, is_nan(a))",
  min: "select(select(b, a, a < b), a, is_nan(a))",
};
const ops = Object.keys(start) as ReduceName[];
const walkers = ["thread", "along", "across", "group", "wide", "eights"] as const;
/** Walkers that load vec4s, and the segments of a workgroup. */
const inFours = (by: ReduceVariant["by"]) => by !== "thread" && by !== "group";
const perGroup = { thread: 64, along: 64, across: 64, group: 1, wide: 1, eights: 8 } as const;

/**
 * x [outer, length, inner] -> y [outer, segments, inner]: each segment of neighbours is joined, and scaled. Whoever
 * walks it, it holds ceil(length / segments) of them, rounded up to whole fours, the last what is left. Long axes take
 * two launches, so that float32 sums stay trees of short chains.
 */
export const reduce = defineKernel({
  name: "reduce",
  bindings: ({ by }: ReduceVariant) =>
    ({
      x: `read ${elementType(inFours(by))}`,
      y: `read_write ${elementType(by === "across")}`,
    }) as const,
  params: { outer: "u32", length: "u32", inner: "u32", segments: "u32", scale: "f32" },
  lib: [bits],
  variants: ops.flatMap((op) => walkers.map((by): ReduceVariant => ({ op, by }))),
  main: (v) => `
    fn join(a: f32, b: f32) -> f32 { return ${join[v.op]}; }
    ${inFours(v.by) ? "fn joined(a: vec4f, b: vec4f) -> vec4f { return vec4f(join(a.x, b.x), join(a.y, b.y), join(a.z, b.z), join(a.w, b.w)); }" : "fn joined(a: f32, b: f32) -> f32 { return join(a, b); }"}
    ${{ 1: byGroup, 8: byEights, 64: byThread }[perGroup[v.by]](v)}`,
  dispatch: ({ outer, inner, segments }, { by }) =>
    linearGroups((outer * segments * inner) / (by === "across" ? 4 : 1), perGroup[by]),
  cost: ({ outer, length, inner, segments }) => ({
    bytes: 4 * outer * inner * (length + segments),
    flops: outer * length * inner,
  }),
});

/** Who walks axes of a length with so many results beside each other. */
export function reduceWalker(hw: Hardware, length: number, inner: number): ReduceVariant["by"] {
  if (hw.kind === "gpu" && inner === 1 && length % 4 === 0)
    return length > 256 ? "wide" : length >= 32 ? "eights" : "along";
  if (hw.kind === "gpu") return inner === 1 && length >= 256 ? "group" : "thread";
  if (inner % 4 === 0) return "across";
  return inner === 1 && length % 4 === 0 ? "along" : "thread";
}

/** Who may: of a CPU driver's, the groups only where a row is long. */
export const reduceWalkers = (hw: Hardware, length: number, inner: number): ReduceVariant["by"][] =>
  walkers.filter(
    (by) =>
      ({
        thread: true,
        along: inner === 1 && length % 4 === 0,
        across: inner % 4 === 0,
        group: hw.kind === "gpu" || length >= 256,
        wide: hw.kind === "gpu" && inner === 1 && length % 4 === 0,
        eights: hw.kind === "gpu" && inner === 1 && length % 4 === 0,
      })[by],
  );

/** The segment of result `index`: base + i inner for first <= i < last, of elements or of vec4s of the axis. */
const segment = (index: string, ofVecs: boolean) => `
      let length = p.length${ofVecs ? " / 4u" : ""};
      let at = ${index} % inner;
      let o = ${index} / inner;
      let size = (p.length + 4u * p.segments - 1u) / (4u * p.segments)${ofVecs ? "" : " * 4u"};
      let first = (o % p.segments) * size;
      let last = min(first + size, length);
      let base = (o / p.segments) * length * inner + at;`;

/** In two chains, for the sake of rounding. */
function byThread({ op, by }: ReduceVariant): string {
  const type = elementType(inFours(by));
  const element = (i: string) => `x[base + ${i} * inner]`;
  return `
    ${linearMain(64)}
      let inner = p.inner${by === "across" ? " / 4u" : ""};
      if (thread >= p.outer * p.segments * inner) { return; }
      ${segment("thread", by === "along")}
      var even = ${type}(${start[op]});
      var odd = even;
      var i = first;
      for (; i + 1u < last; i += 2u) {
        even = joined(even, ${element("i")});
        odd = joined(odd, ${element("(i + 1u)")});
      }
      if (i < last) { even = joined(even, ${element("i")}); }
      let all = joined(even, odd);
      y[thread] = ${by === "along" ? ofLanes : "all"} * p.scale;
    }`;
}

const ofLanes = "join(join(all.x, all.y), join(all.z, all.w))";

const byGroup = ({ op, by }: ReduceVariant) => `
    var<workgroup> part: array<f32, 64>;
    ${linearMain(64)}
      let inner = p.inner;
      let safe = min(group, p.outer * p.segments * inner - 1u);
      ${segment("safe", by === "wide")}
      var all = ${elementType(by === "wide")}(${start[op]});
      for (var i = first + lane; i < last; i += 64u) { all = joined(all, x[base + i * inner]); }
      part[lane] = ${by === "wide" ? ofLanes : "all"};
      for (var half = 32u; half > 0u; half = half / 2u) {
        workgroupBarrier();
        if (lane < half) { part[lane] = join(part[lane], part[lane + half]); }
      }
      if (lane == 0u) { y[safe] = part[0] * p.scale; }
    }`;

/** Neighbours read side by side, each in two chains; of each segment one adds up what the eight have. */
const byEights = ({ op }: ReduceVariant) => `
    var<workgroup> part: array<f32, 72>; // lines of eight stand nine apart, in different banks
    ${linearMain(64)}
      let inner = 1u;
      let count = p.outer * p.segments;
      let safe = min(group * 8u + lane / 8u, count - 1u);
      ${segment("safe", true)}
      var even = vec4f(${start[op]});
      var odd = even;
      var i = first + lane % 8u;
      for (; i + 8u < last; i += 16u) {
        even = joined(even, x[base + i]);
        odd = joined(odd, x[base + i + 8u]);
      }
      if (i < last) { even = joined(even, x[base + i]); }
      let all = joined(even, odd);
      part[lane + lane / 8u] = ${ofLanes};
      workgroupBarrier();
      let own = group * 8u + lane;
      if (lane < 8u && own < count) {
        var total = part[9u * lane];
        for (var k = 1u; k < 8u; k++) { total = join(total, part[9u * lane + k]); }
        y[own] = total * p.scale;
      }
    }`;
