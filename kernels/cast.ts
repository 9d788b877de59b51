import { defineKernel } from "./kernel.ts";
import { forEachVec4, vec4Groups, vecCounts } from "./lanewise.ts";

/** Element types that change into each other. */
export type CastType = "f32" | "i32";
type CastVariant = { from: CastType; to: CastType; vecs: number };

/** Of whole numbers the bits are bound: there is no other use for arrays of vec4i. */
const element = (type: CastType) => (type === "f32" ? "vec4f" : "vec4u");
const changed = {
  f32: "vec4f(bitcast<vec4i>(x[i]))",
  i32: "bitcast<vec4u>(vec4i(x[i]))",
} as const;

/** y = x in another type: whole numbers to the nearest float32, floats towards 0. */
export const cast = defineKernel({
  name: "cast",
  bindings: ({ from, to }: CastVariant) =>
    ({ x: `read ${element(from)}`, y: `read_write ${element(to)}` }) as const,
  params: { count: "u32" },
  variants: vecCounts.flatMap((vecs): CastVariant[] => [
    { from: "i32", to: "f32", vecs },
    { from: "f32", to: "i32", vecs },
  ]),
  main: ({ to, vecs }) => forEachVec4(vecs, `y[i] = ${changed[to]};`),
  dispatch: ({ count }, { vecs }) => vec4Groups(count, vecs),
  cost: ({ count }) => ({ bytes: 8 * count, flops: 0 }),
});
