import { meet } from "./folds.ts";
import { defineKernel, type Hardware, linearGroups, linearMain, range, unroll } from "./kernel.ts";

const THREADS = 256;
/** vec4s a thread adds up. */
const EACH = 8;

export type SquareSumsVariant = {
  /** Who adds up a sum's numbers: a workgroup 8,192, or for CPU drivers a thread 256. */
  by: "group" | "thread";
};
const PART = { group: 4 * THREADS * EACH, thread: 256 } as const;
/** Tensors of a launch. Four have three quarters of what seven gain on llvmpipe, and compile in half the time. */
const TENSORS = { group: 1, thread: 4 } as const;

export const squareSumsVariant = ({ kind }: Hardware): SquareSumsVariant => ({
  by: kind === "gpu" ? "group" : "thread",
});

/** Sums that `squareSums` makes of so many numbers. */
export const squareSumsOf = (count: number, { by }: SquareSumsVariant): number => Math.ceil(count / PART[by]);

/** Tensors that a launch takes. */
export const squareSumsTensors = ({ by }: SquareSumsVariant): number => TENSORS[by];

/** Names of the tensors' counts among the parameters. */
export const squareSumsCounts = ["count0", "count1", "count2", "count3"] as const;
type Count = (typeof squareSumsCounts)[number];

// Of vec4 i what lies below the count.
const real = `fn real(v: vec4f, i: u32, count: u32) -> vec4f { return select(vec4f(), v, vec4u(4u * i) + vec4u(0u, 1u, 2u, 3u) < vec4u(count)); }`;

/**
 * sums[at...]: the sums of the squares of parts of x0, then of x1 and so on, of which each has its count; 0 where there is no
 * such tensor. The norms of more tensors take more launches: all write into one array.
 */
export const squareSums = defineKernel({
  name: "square_sums",
  bindings: (v: SquareSumsVariant): Record<string, "read vec4f" | "read_write f32"> => ({
    ...Object.fromEntries(range(squareSumsTensors(v)).map((k) => [`x${k}`, "read vec4f"])),
    sums: "read_write f32",
  }),
  params: {
    at: "u32",
    ...(Object.fromEntries(squareSumsCounts.map((name) => [name, "u32"])) as Record<Count, "u32">),
  },
  lib: [real],
  variants: [{ by: "group" }, { by: "thread" }] as SquareSumsVariant[],
  main: ({ by }) => (by === "group" ? byGroup : byThread),
  dispatch: (p, v) =>
    linearGroups(
      squareSumsCounts.reduce((sums, name) => sums + squareSumsOf(p[name], v), 0),
      v.by === "group" ? 1 : 64,
    ),
  cost: (p) => {
    const all = squareSumsCounts.reduce((count, name) => count + p[name], 0);
    return { bytes: 4 * all, flops: 2 * all };
  },
});

const byThread = `
    ${linearMain(64)}
      var part = thread;
      ${unroll(
        TENSORS.thread,
        (k) => `
      let parts${k} = (p.count${k} + ${PART.thread - 1}u) / ${PART.thread}u;
      if (part < parts${k}) {
        let first = part * ${PART.thread / 4}u;
        var total = 0.0;
        for (var i = first; i < min(first + ${PART.thread / 4}u, (p.count${k} + 3u) / 4u); i++) {
          let v = real(x${k}[i], i, p.count${k});
          total += dot(v, v);
        }
        sums[p.at + thread] = total;
        return;
      }
      part -= parts${k};`,
      )}
    }`;

const byGroup = `
    var<workgroup> part: array<f32, ${THREADS}>;
    ${linearMain(THREADS)}
      let last = (p.count0 - 1u) / 4u;
      let first = group * ${THREADS * EACH}u + lane;
      var total = 0.0;
      ${unroll(
        EACH,
        (k) =>
          `{ let i = first + ${k * THREADS}u; let v = real(x0[min(i, last)], i, p.count0); total += dot(v, v); }`,
      )}
      ${meet({ by: "group" }, "total", "sum", THREADS)}
      if (lane == 0u && group * ${PART.group}u < p.count0) { sums[p.at + group] = total; }
    }`;
