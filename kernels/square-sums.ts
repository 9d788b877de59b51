import { meet } from "./folds.ts";
import { defineKernel, linearGroups, linearMain, unroll } from "./kernel.ts";

const THREADS = 256;
/** vec4s a thread adds up. */
const EACH = 8;
const PER_GROUP = 4 * THREADS * EACH;

/** Sums that `squareSums` makes of so many numbers. */
export const squareSumsOf = (count: number): number => Math.ceil(count / PER_GROUP);

/**
 * sums[at...]: the sums of the squares of x, one for each 8,192 numbers. For GPUs, where the norms of many tensors would
 * else take several launches each: all write into one array.
 */
export const squareSums = defineKernel({
  name: "square_sums",
  bindings: { x: "read vec4f", sums: "read_write f32" },
  params: { count: "u32", at: "u32" },
  variants: [{}],
  main: () => `
    var<workgroup> part: array<f32, ${THREADS}>;
    // Of vec4 i what lies below the count.
    fn real(v: vec4f, i: u32) -> vec4f { return select(vec4f(), v, vec4u(4u * i) + vec4u(0u, 1u, 2u, 3u) < vec4u(p.count)); }
    ${linearMain(THREADS)}
      let last = (p.count - 1u) / 4u;
      let first = group * ${THREADS * EACH}u + lane;
      var total = 0.0;
      ${unroll(
        EACH,
        (k) => `{ let i = first + ${k * THREADS}u; let v = real(x[min(i, last)], i); total += dot(v, v); }`,
      )}
      ${meet({ by: "group" }, "total", "sum", THREADS)}
      if (lane == 0u && group * ${PER_GROUP}u < p.count) { sums[p.at + group] = total; }
    }`,
  dispatch: ({ count }) => linearGroups(count, PER_GROUP),
  cost: ({ count }) => ({ bytes: 4 * count, flops: 2 * count }),
});
