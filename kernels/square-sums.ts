import { meet } from "./folds.ts";
import { defineKernel, type Hardware, linearGroups, linearMain, range, unroll } from "./kernel.ts";

const THREADS = 256;
/** vec4s a thread adds up. */
const EACH = 8;

export type SquareSumsVariant = {
  /** Who adds up a sum's numbers: a workgroup 8,192, or for CPU drivers a thread 256. */
  by: "group" | "thread";
  /** Tensors of a launch. */
  tensors: number;
};
const PART = { group: 4 * THREADS * EACH, thread: 256 } as const;
/** The most that a variant takes. */
const MOST = 15;

/**
 * On a GPU as many tensors as can be bound beside the sums, for a launch takes longer than most of them. On llvmpipe four
 * have three quarters of what seven gain, and compile in half the time.
 */
export const squareSumsVariant = ({ kind, maxStorageBuffers = 8 }: Hardware): SquareSumsVariant =>
  kind === "gpu"
    ? { by: "group", tensors: Math.min(maxStorageBuffers - 1, MOST) }
    : { by: "thread", tensors: 4 };

/** Sums that `squareSums` makes of so many numbers. */
export const squareSumsOf = (count: number, { by }: Pick<SquareSumsVariant, "by">): number =>
  Math.ceil(count / PART[by]);

/** Names of the tensors' counts among the parameters. */
export const squareSumsCounts = range(MOST).map((k) => `count${k}`) as readonly SquareSumsCount[];
export type SquareSumsCount = `count${0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14}`;

/** WGSL: of vec4 i what lies below the count. */
export const realLanes = `fn real(v: vec4f, i: u32, count: u32) -> vec4f { return select(vec4f(), v, vec4u(4u * i) + vec4u(0u, 1u, 2u, 3u) < vec4u(count)); }`;

/**
 * sums[at...]: the sums of the squares of parts of x0, then of x1 and so on, of which each has its count; 0 where there is no
 * such tensor. The norms of more tensors take more launches: all write into one array.
 */
export const squareSums = defineKernel({
  name: "square_sums",
  bindings: ({ tensors }: SquareSumsVariant): Record<string, "read vec4f" | "read_write f32"> => ({
    ...Object.fromEntries(range(tensors).map((k) => [`x${k}`, "read vec4f"])),
    sums: "read_write f32",
  }),
  params: {
    at: "u32",
    ...(Object.fromEntries(squareSumsCounts.map((name) => [name, "u32"])) as Record<SquareSumsCount, "u32">),
  },
  lib: [realLanes],
  variants: [
    { by: "group", tensors: 7 },
    { by: "thread", tensors: 4 },
  ] as SquareSumsVariant[],
  main: (v) => (v.by === "group" ? byGroup(v) : byThread(v)),
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

const byThread = ({ tensors }: SquareSumsVariant) => `
    ${linearMain(64)}
      var part = thread;
      ${unroll(
        tensors,
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

/** A part before a tensor's first wraps around, to where no tensor's parts are. */
const byGroup = ({ tensors }: SquareSumsVariant) => `
    var<workgroup> part: array<f32, ${THREADS}>;
    ${linearMain(THREADS)}
      var own = group;
      var total = 0.0;
      ${unroll(
        tensors,
        (k) => `
      let parts${k} = (p.count${k} + ${PART.group - 1}u) / ${PART.group}u;
      if (own < parts${k}) {
        let vecs = (p.count${k} + 3u) / 4u;
        let end = min((own + 1u) * ${THREADS * EACH}u, vecs);
        for (var i = own * ${THREADS * EACH}u + lane; i < end; i += ${2 * THREADS}u) {
          let next = i + ${THREADS}u;
          let v = real(x${k}[i], i, p.count${k});
          let w = real(x${k}[min(next, vecs - 1u)], next, p.count${k});
          total += dot(v, v) + dot(w, w);
        }
      }
      own -= parts${k};`,
      )}
      ${meet({ by: "group" }, "total", "sum", THREADS)}
      let all = ${unroll(tensors, (k) => `parts${k}`, " + ")};
      if (lane == 0u && group < all) { sums[p.at + group] = total; }
    }`;
