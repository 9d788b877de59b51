import { defineKernel, range, unroll } from "./kernel.ts";
import { forEachVec4, vec4Groups, vecCounts } from "./lanewise.ts";

/** Summands of one launch beside x: with x and y, as many arrays as the smallest devices bind. */
export const MOST_TERMS = 6;

type CombineVariant = { terms: number; vecs: number };

const factors = Object.fromEntries(range(MOST_TERMS).map((j) => [`c${j}`, "f32"])) as Record<
  `c${0 | 1 | 2 | 3 | 4 | 5}`,
  "f32"
>;

/**
 * y = x + (c0 k0 + c1 k1 + ...), the stages of Runge-Kutta methods: each array is read once, and the sum is rounded to
 * x's size once, at the end.
 */
export const combine = defineKernel({
  name: "combine",
  bindings: ({ terms }: CombineVariant): Record<string, "read vec4f" | "read_write vec4f"> => ({
    x: "read vec4f",
    ...Object.fromEntries(range(terms).map((j) => [`k${j}`, "read vec4f"])),
    y: "read_write vec4f",
  }),
  params: { count: "u32", ...factors },
  variants: range(MOST_TERMS).flatMap((j) =>
    vecCounts.map((vecs): CombineVariant => ({ terms: j + 1, vecs })),
  ),
  main: ({ terms, vecs }) =>
    forEachVec4(vecs, `y[i] = x[i] + (${unroll(terms, (j) => `p.c${j} * k${j}[i]`, " + ")});`),
  dispatch: ({ count }, { vecs }) => vec4Groups(count, vecs),
  cost: ({ count }, { terms }) => ({ bytes: 4 * (terms + 2) * count, flops: 2 * terms * count }),
});
