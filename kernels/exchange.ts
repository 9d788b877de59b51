import { defineKernel } from "./kernel.ts";
import { forEachVec4, vec4Groups, vecCounts } from "./lanewise.ts";

/** Two arrays change places, bit by bit and without a third. */
export const exchange = defineKernel({
  name: "exchange",
  bindings: { a: "read_write vec4u", b: "read_write vec4u" },
  params: { count: "u32" },
  variants: vecCounts.map((vecs) => ({ vecs })),
  main: ({ vecs }: { vecs: number }) => forEachVec4(vecs, "let held = a[i]; a[i] = b[i]; b[i] = held;"),
  dispatch: ({ count }, { vecs }) => vec4Groups(count, vecs),
  cost: ({ count }) => ({ bytes: 16 * count, flops: 0 }),
});
