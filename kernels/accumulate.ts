import { defineKernel } from "./kernel.ts";
import { forEachVec4, vec4Groups, vecCounts } from "./lanewise.ts";

/** sum[i] += share x[i], in place; with `begin` what stood in sum before is left out, be it NaN. */
export const accumulate = defineKernel({
  name: "accumulate",
  bindings: { x: "read vec4f", sum: "read_write vec4f" },
  params: { count: "u32", share: "f32", begin: "u32" },
  variants: vecCounts.map((vecs) => ({ vecs })),
  main: ({ vecs }: { vecs: number }) =>
    forEachVec4(vecs, "sum[i] = select(sum[i], vec4f(0.0), p.begin != 0u) + p.share * x[i];"),
  dispatch: ({ count }, { vecs }) => vec4Groups(count, vecs),
  cost: ({ count }) => ({ bytes: 12 * count, flops: 2 * count }),
});
