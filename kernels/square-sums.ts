import { meet } from "./folds.ts";
import { defineKernel, type Hardware, linearGroups, linearMain, unroll } from "./kernel.ts";

const THREADS = 256;
/** vec4s a thread adds up. */
const EACH = 8;

export type SquareSumsVariant = {
  /** Who adds up a sum's numbers: a workgroup 8,192, or for CPU drivers a thread 256. */
  by: "group" | "thread";
};
const PART = { group: 4 * THREADS * EACH, thread: 256 } as const;

export const squareSumsVariant = ({ kind }: Hardware): SquareSumsVariant => ({
  by: kind === "gpu" ? "group" : "thread",
});

/** Sums that `squareSums` makes of so many numbers. */
export const squareSumsOf = (count: number, { by }: SquareSumsVariant): number => Math.ceil(count / PART[by]);

// Of vec4 i what lies below the count.
const real = `fn real(v: vec4f, i: u32) -> vec4f { return select(vec4f(), v, vec4u(4u * i) + vec4u(0u, 1u, 2u, 3u) < vec4u(p.count)); }`;

/** sums[at...]: the sums of the squares of parts of x. The norms of many tensors take a launch each: all write into one array. */
export const squareSums = defineKernel({
  name: "square_sums",
  bindings: { x: "read vec4f", sums: "read_write f32" },
  params: { count: "u32", at: "u32" },
  lib: [real],
  variants: [{ by: "group" }, { by: "thread" }] as SquareSumsVariant[],
  main: ({ by }) => (by === "group" ? byGroup : byThread),
  dispatch: ({ count }, v) => linearGroups(squareSumsOf(count, v), v.by === "group" ? 1 : 64),
  cost: ({ count }) => ({ bytes: 4 * count, flops: 2 * count }),
});

const byThread = `
    ${linearMain(64)}
      let vecs = (p.count + 3u) / 4u;
      let first = thread * ${PART.thread / 4}u;
      if (first >= vecs) { return; }
      var total = 0.0;
      for (var i = first; i < min(first + ${PART.thread / 4}u, vecs); i++) { let v = real(x[i], i); total += dot(v, v); }
      sums[p.at + thread] = total;
    }`;

const byGroup = `
    var<workgroup> part: array<f32, ${THREADS}>;
    ${linearMain(THREADS)}
      let last = (p.count - 1u) / 4u;
      let first = group * ${THREADS * EACH}u + lane;
      var total = 0.0;
      ${unroll(
        EACH,
        (k) => `{ let i = first + ${k * THREADS}u; let v = real(x[min(i, last)], i); total += dot(v, v); }`,
      )}
      ${meet({ by: "group" }, "total", "sum", THREADS)}
      if (lane == 0u && group * ${PART.group}u < p.count) { sums[p.at + group] = total; }
    }`;
