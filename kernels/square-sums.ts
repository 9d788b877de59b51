import { meet } from "./folds.ts";
import { type Binding, defineKernel, type Hardware, linearGroups, linearMain, range } from "./kernel.ts";
import { elementType } from "./runs.ts";
import { findTensor, ofTensor } from "./several.ts";

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

/** Of `count` tensors as many as can be bound beside the sums, for a launch takes longer than most of them. */
export const squareSumsVariant = (
  { kind, maxStorageBuffers = 8 }: Hardware,
  count: number,
): SquareSumsVariant => ({
  by: kind === "gpu" ? "group" : "thread",
  tensors: Math.min(count, maxStorageBuffers - 1, MOST),
});

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
  bindings: ({ by, tensors }: SquareSumsVariant): Record<string, Binding> => ({
    ...Object.fromEntries(range(tensors).map((k) => [`x${k}`, `read ${elementType(by === "group")}`])),
    sums: "read_write f32",
  }),
  params: {
    at: "u32",
    ...(Object.fromEntries(squareSumsCounts.map((name) => [name, "u32"])) as Record<SquareSumsCount, "u32">),
  },
  lib: ({ by }) => (by === "group" ? [realLanes] : []),
  variants: [
    { by: "group", tensors: 7 },
    { by: "thread", tensors: 7 },
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

/**
 * By numbers, not by vec4s: loads are what llvmpipe takes long to compile. 15 tensors take it 1.5 times as long as four by vec4s
 * did, and large ones run half as long again; for the demo's small ones clipping takes four fifths.
 */
const byThread = ({ tensors }: SquareSumsVariant) => `
    ${linearMain(64)}
      ${findTensor(tensors, "thread", PART.thread)}
      if (thread >= parts) { return; }
      let start = own * ${PART.thread}u;
      let end = min(start + ${PART.thread}u, count);
      var total = 0.0;
      ${ofTensor(tensors, (k) => `for (var i = start; i < end; i++) { let v = x${k}[i]; total += v * v; }`)}
      sums[p.at + thread] = total;
    }`;

const byGroup = ({ tensors }: SquareSumsVariant) => `
    var<workgroup> part: array<f32, ${THREADS}>;
    ${linearMain(THREADS)}
      ${findTensor(tensors, "group", PART.group)}
      let vecs = (count + 3u) / 4u;
      let end = min((own + 1u) * ${THREADS * EACH}u, vecs);
      var total = 0.0;
      ${ofTensor(
        tensors,
        (k) => `
      for (var i = own * ${THREADS * EACH}u + lane; i < end; i += ${2 * THREADS}u) {
        let next = i + ${THREADS}u;
        let v = real(x${k}[i], i, count);
        let w = real(x${k}[min(next, vecs - 1u)], next, count);
        total += dot(v, v) + dot(w, w);
      }`,
      )}
      ${meet({ by: "group" }, "total", "sum", THREADS)}
      if (lane == 0u && group < parts) { sums[p.at + group] = total; }
    }`;
