import { defineKernel } from "./kernel.ts";
import { forEachVec4, vec4Groups, vecCounts } from "./lanewise.ts";

/** y[i] = value. The bit pattern is given, so that one kernel fills f32, i32 and u32, and NaN on purpose. */
export const fill = defineKernel({
  name: "fill",
  bindings: { y: "read_write vec4u" },
  params: { count: "u32", bits: "u32" },
  variants: vecCounts.map((vecs) => ({ vecs })),
  main: ({ vecs }: { vecs: number }) => forEachVec4(vecs, "y[i] = vec4u(p.bits);"),
  dispatch: ({ count }, { vecs }) => vec4Groups(count, vecs),
  cost: ({ count }) => ({ bytes: 4 * count, flops: 0 }),
});
